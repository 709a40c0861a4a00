/* store_nosymbol -- a whole plugin, of another name than its file's. */
#include "t/plugins/tiny.h"

BR_PLUGIN(store, elsewhere, &tiny_store, .summary = "A store for the loader's tests.",
          .version = "1.0", .license = "Apache-2.0");

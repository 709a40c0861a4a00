/* store_linked -- a plugin that loads, with one option. */
#include "t/plugins/tiny.h"

struct linked {
    int64_t answer;
};

static const struct br_option linked_options[] = {
    BR_INTEGER(struct linked, answer, .help = "What to say.", .fallback = "42"),
    { 0 },
};

BR_PLUGIN(store, linked, &tiny_store, .summary = "A store for the loader's tests.",
          .version = "1.0", .license = "Apache-2.0", BR_STATE(struct linked, linked_options));

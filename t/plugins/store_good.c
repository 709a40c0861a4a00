/* store_good -- a plugin that loads, with one option. */
#include "t/plugins/tiny.h"

struct good {
    int64_t answer;
};

static const struct br_option good_options[] = {
    BR_INTEGER(struct good, answer, .help = "What to say.", .fallback = "42"),
    { 0 },
};

BR_PLUGIN(store, good, &tiny_store, .summary = "A store for the loader's tests.", .version = "1.0",
          .license = "Apache-2.0", BR_STATE(struct good, good_options));

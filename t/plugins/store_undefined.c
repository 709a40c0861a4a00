/* store_undefined -- calls a function that nobody has: it must be refused when it is loaded, not
 * when it is called.
 */
#include "t/plugins/tiny.h"

void nobody_has_this(struct br_env *env);

static void undefined_close(struct br_env *env)
{
    nobody_has_this(env);
}

BR_PLUGIN(store, undefined, &tiny_store, .summary = "A store for the loader's tests.",
          .version = "1.0", .license = "Apache-2.0", .close = undefined_close);

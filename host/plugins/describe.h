/* describe -- a plugin's descriptor and option table as people and scripts read them: for a
 * terminal, as JSON, and as a man page of section 5.
 */
#ifndef HOST_PLUGINS_DESCRIBE_H
#define HOST_PLUGINS_DESCRIBE_H

#include "host/base/buf.h"
#include <bridle/plugin.h>

/* Option `index` of the table as this host knows it; false: there are no more. */
bool describe_option(const struct br_plugin *plugin, uint32_t index, struct br_option *ret_option);

/* "integer", "duration" ...; "1 to 100", "a, b or c", "" where anything goes; "required", or the
 * default as one would write it. */
const char *describe_type(const struct br_option *option);
void describe_range(const struct br_option *option, struct buf *buf);
void describe_default(const struct br_option *option, struct buf *buf);

void describe_text(const struct br_plugin *plugin, struct buf *buf);
void describe_json(const struct br_plugin *plugin, struct buf *buf);
void describe_man(const struct br_plugin *plugin, struct buf *buf);

#endif

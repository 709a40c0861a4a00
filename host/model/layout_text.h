/* layout_text -- what the writing and the reading of records share.  Private to host/model. */
#ifndef HOST_MODEL_LAYOUT_TEXT_H
#define HOST_MODEL_LAYOUT_TEXT_H

#define LAYOUT_STATUS_COUNT 8
#define LAYOUT_NO_ADDRESS   "invalid address"
#define LAYOUT_NO_NAME      "invalid host_port"

extern const char *const layout_status_text[LAYOUT_STATUS_COUNT];

#endif

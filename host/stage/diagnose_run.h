/* diagnose_run -- what diagnose.c and diagnose_records.c share. */
#ifndef HOST_STAGE_DIAGNOSE_RUN_H
#define HOST_STAGE_DIAGNOSE_RUN_H

#include <stdio.h>

#include "host/stage/diagnose.h"

/* The verdict, its sentence, and the command that follows. */
void diagnose_say(struct tool *tool, struct diagnose *ret, enum diagnosis verdict,
                  const char *text);
void diagnose_failed(struct tool *tool, struct diagnose *ret, const struct fail *fail);

/* The root holds tables: are they whole? */
void diagnose_records(struct tool *tool, struct diagnose *ret);

#endif

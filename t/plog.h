/* plog -- what the suites of private logs share (t/test_plog.c, t/plog_dir.c). */
#ifndef T_PLOG_H
#define T_PLOG_H

#include "host/disk/plog_dir.h"
#include "t/test.h"

/* Mutation `decree` of 2.3, ballot 5, one update of `size` bytes, into the block under way. */
void plog_kit_put(struct plog_writer *writer, int64_t decree, size_t size, struct buf *buf);

/* A file: its head, then `blocks` blocks of two mutations from `decree` on. */
void plog_kit_file(struct plog_writer *writer, const struct plog_name *name, int64_t decree,
                   int blocks, struct buf *buf);

TCase *plog_dir_cases(void);

#endif

/* test_sqlite -- what the parts of the suite share. */
#ifndef T_TEST_SQLITE_H
#define T_TEST_SQLITE_H

#include "t/conform.h"

extern struct buf file; /* the running test's database */

void setup_file(void); /* a loop, and a fresh directory for the file */
void teardown_file(void);
void fill_file(struct instance *in, uint32_t batches); /* "/b0", "/b0/0" ... */
void expect_sound_file(void);

void use_file(const char *name); /* another one in that directory */
void expect_no_start(br_status status, const char *sentence);

TCase *disk_case(void);
TCase *memory_case(void);

#endif

/* shell_data -- a meta server and a replica server that keeps a few rows of table "temp", for the
 * commands about rows.
 *
 * The table has id 7 and 4 partitions.  All rows are of hash key "user3" and in partition 2:
 * age = 3, bin\x01 = \xFF\"\\, name = Ann, zip = "".  A row lives as many seconds as its value has
 * bytes; of one byte for ever.  A scan gives three rows at a time, without values 16.
 */
#ifndef T_SHELL_DATA_H
#define T_SHELL_DATA_H

#include "t/test_shell.h"

/* error: in every header of the replica server's; NULL: none; "": it answers nothing but remote
 * commands, of which it knows none. */
void shop_start(const char *error);
void shop_stop(void);

/* Run lines. */
struct ran shop_ran(const char *lines);

/* Run lines and compare; NODE stands for the replica server, META for the meta server. */
void shop_run(const char *lines, int status, const char *out, const char *err);

#endif

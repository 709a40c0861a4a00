/* plog -- the private log of a replica: files log.<index>.<start_offset> in its directory plog/
 * (src/replica/log_block.{h,cpp}, log_file.{h,cpp}, mutation_log.cpp, mutation_log_replay.cpp).
 * This is the format; plog_dir.h reads a directory of them.
 *
 * Offsets are global: byte 0 is the first one the replica ever logged, and a file's start_offset is
 * where the one before it ends.  A file is blocks, little-endian, one behind the other:
 *
 *   u32 0xdeadbeef, i32 bytes of the body, u32 CRC, u32 offset of the block in its file; the body
 *
 * The CRC is CRC-32C of the body that goes on from the CRC of the block before (from 0 in the first
 * of each file).  The first body begins with the head of the file:
 *
 *   i32 0xdeadbeef, i32 version 1, i64 start_offset, i32 count,
 *   count times { u64 app_id | partition << 32, i64 max_decree, i64 valid_start_offset }
 *
 * Everything behind it, in any block, is mutations (message_replica.h), each of which says in its
 * log_offset where it begins itself.  Pegasus writes the head as a block of its own and ends a
 * block once it is over 1 MiB.
 *
 * A server that died leaves a last block that is not whole: nobody was told that it is logged.
 * Pegasus never writes behind it: a server that comes back begins another file, whose start_offset
 * is where the last whole block ended.  Anything else that makes no sense is damage.
 *
 * A decree may come more than once: the one of the highest ballot counts, among equals the first
 * (src/replica/replica_init.cpp:replay_mutation).  A mutation whose log_offset is below
 * init_offset_in_private_log is obsolete, but its ballot counts.
 *
 * Nothing here blocks, and any thread may call it for structures of its own.
 */
#ifndef HOST_DISK_PLOG_H
#define HOST_DISK_PLOG_H

#include "host/rdsn/message_replica.h"

#define PLOG_NAME_MAX     40           /* bytes of a file's name with its NUL */
#define PLOG_BLOCK_SIZE   (1u << 20)   /* a block that is larger takes no further mutation */
#define PLOG_MUTATION_MAX (512u << 20) /* bytes of one mutation; FRAME_BODY_MAX is smaller */
#define PLOG_BLOCK_HEADER 16           /* bytes */
#define PLOG_FILE_SIZE    (32u << 20)  /* where Pegasus begins another (log_private_file_size_mb) */
#define PLOG_FILE_MAX     (1u << 30)   /* bytes of a file */
#define PLOG_FIRST_INDEX  1

struct plog_name {
    int32_t index;
    int64_t start_offset;
};

/* Exactly what plog_name_format writes: no sign, no leading zero, an index from 1. */
bool plog_name_parse(const char *text, struct plog_name *ret_name);
void plog_name_format(const struct plog_name *name, char text[PLOG_NAME_MAX]);

/* What the head of a file says about a replica at the time when the file was begun. */
struct plog_origin {
    struct gpid pid;
    int64_t max_decree; /* the highest one in the files before: they may go once it is durable */
    int64_t valid_start_offset; /* what is below belongs to an earlier life of the replica */
};

/* -- Writing ---------------------------------------------------------------------------------- */

/* One file that is written, in memory: bytes are appended to a buffer, and whoever writes the
 * buffer to the file does so in order and from where it was last.  A block has to begin and end in
 * the same buffer, which may hold several.  What could not be written is taken back by copying the
 * structure before and putting it back after. */
struct plog_writer {
    struct plog_name name;
    int64_t size;  /* bytes of the blocks that have ended */
    uint32_t crc;  /* of the last block that has ended */
    bool in_block; /* between plog_block_begin and plog_block_end */
    size_t block;  /* where in the buffer the block under way begins */
};

/* A new file.  Its first block: plog_put_head. */
void plog_writer_begin(struct plog_writer *writer, const struct plog_name *name);

/* Append the first block of a file; NULL: of no replica. */
void plog_put_head(struct plog_writer *writer, const struct plog_origin *origin, struct buf *buf);

void plog_block_begin(struct plog_writer *writer, struct buf *buf);

/* Append a mutation; header->log_offset is set.  Ends a block that is larger than PLOG_BLOCK_SIZE
 * and begins another one first.  BR_TOOBIG: it is over PLOG_MUTATION_MAX, or the file would be over
 * PLOG_FILE_MAX; nothing was appended. */
br_status plog_block_put(struct plog_writer *writer, struct mutation_header *header,
                         br_bytes updates, struct buf *buf, struct fail *ret_fail);

/* Fills in size and CRC.  A block without a mutation leaves no bytes. */
void plog_block_end(struct plog_writer *writer, struct buf *buf);

/* The global offset of the next block's first byte; no block is under way. */
static inline int64_t plog_writer_end(const struct plog_writer *writer)
{
    return writer->name.start_offset + writer->size;
}

/* -- Reading ---------------------------------------------------------------------------------- */

enum plog_stop {
    PLOG_GOING = 0, /* has not stopped */
    PLOG_END,       /* all bytes are whole blocks */
    PLOG_TRUNCATED, /* the last block is not whole; the first one: good is 0, and there is no head
                     */
    PLOG_CORRUPT,
};

/* Mutation by mutation through the bytes of one file.  Blocks are checked as a whole before any of
 * their mutations is given out. */
struct plog_reader {
    struct plog_name name;
    const uint8_t *bytes; /* the caller's; must live as long as what was read from them */
    size_t size;
    size_t good;            /* bytes of whole blocks that were checked */
    size_t at, block_end;   /* the next mutation; the end of its block */
    uint32_t crc;           /* of the last good block */
    const uint8_t *origins; /* of the head */
    size_t origin_count;
    enum plog_stop stop;
    struct fail why; /* of PLOG_TRUNCATED (BR_CORRUPT, too) and PLOG_CORRUPT: "at offset N: ..." */
};

/* Reads the head.  Any bytes are safe; more than PLOG_FILE_MAX are PLOG_CORRUPT. */
void plog_read_begin(struct plog_reader *reader, const struct plog_name *name, br_bytes file);

/* false: there is no further one, and reader->stop says why. *ret_updates points into the file. */
bool plog_read_next(struct plog_reader *reader, struct mutation_header *ret_header,
                    br_bytes *ret_updates);

/* What the head says about a replica; false: nothing. */
bool plog_read_origin(const struct plog_reader *reader, struct gpid pid,
                      struct plog_origin *ret_origin);

/* A writer that goes on behind the last good block.  There must be one (good is not 0), and what
 * is behind it must have been cut off. */
void plog_writer_resume(struct plog_writer *writer, const struct plog_reader *reader);

#endif

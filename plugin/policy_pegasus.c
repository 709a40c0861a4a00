/* policy_pegasus -- Apache Pegasus's own rules of recovery (src/meta/server_state.cpp,
 * meta_data.cpp), and where those lose or abort, a more careful way, each with an option for the
 * historical one.
 *
 * Historical mode decides as 2.5.0 does.  Its trimming of the list of dropped replicas
 * (max_replica_count
 * + max_reserved_dropped_replicas) never reaches what is written, since at least max_replica_count
 * of the best stay, so that there is no option for it.
 */
#include "plugin/policy_pegasus.h"

static const struct br_option pegasus_options[] = {
    BR_CHOICE(struct pegasus, mode, .choices = "careful|historical", .fallback = "careful",
              .help = "Decide carefully, or in everything exactly as Apache Pegasus 2.5.0; each "
                      "option below overrides it for one behaviour."),
    BR_CHOICE(struct pegasus, conflict_name, .choices = "by_mode|name-id|name__id",
              .fallback = "by_mode",
              .help = "What a table is called whose name a table with a larger id bears: name-id "
                      "(careful), or name__id as Apache Pegasus writes since 2017, because '-' is "
                      "not allowed in a table's name (historical)."),
    BR_CHOICE(struct pegasus, conflicts, .choices = "by_mode|majority|refuse",
              .fallback = "by_mode",
              .help = "When nodes disagree on a table's definition: majority (careful) takes, with "
                      "a warning, the definition that most nodes report, the first in list order "
                      "among equals and an available one before a dropped one, where only name, "
                      "replica count, status, expiry or drop time or atomic_idempotent differ, and "
                      "refuses where type, partition count, statefulness or creation time differ; "
                      "refuse (historical, where Apache Pegasus aborts) refuses every difference."),
    BR_CHOICE(struct pegasus, envs, .choices = "by_mode|most|first", .fallback = "by_mode",
              .help = "Whose environments a table gets: those of the node that reports most of "
                      "them (careful), or of the first node in the list (historical)."),
    BR_CHOICE(struct pegasus, status_order, .choices = "by_mode|last|ignore", .fallback = "by_mode",
              .help =
                  "Replicas that are in error, learning or splitting come last among those of "
                  "one ballot, and to pass over a higher decree needs the consent "
                  "pass_over_replicas (last: careful); or the status is not looked at, and what "
                  "is passed over is only noted in the log (ignore: historical)."),
    BR_CHOICE(struct pegasus, ties, .choices = "by_mode|spread|first", .fallback = "by_mode",
              .help =
                  "Of equally good replicas the primary is the one that reports itself primary, "
                  "else the (partition index mod their number)-th in list order (careful), or "
                  "always the first in list order (historical)."),
    BR_CHOICE(struct pegasus, placeholder_expire, .choices = "by_mode|zero|now",
              .fallback = "by_mode",
              .help = "The expire_second of the placeholder of an id that no node reports: 0, so "
                      "that no meta server ever deletes under it (careful), or the time of the "
                      "recovery (historical)."),
    BR_CHOICE(struct pegasus, advice, .choices = "by_mode|yes|no", .fallback = "by_mode",
              .help = "Warn of what Apache Pegasus is silent about: environments that may be "
                      "incomplete, tables written as dropped, primaries in error or learning, no "
                      "tables at all (yes: careful; no: historical)."),
    BR_CHOICE(struct pegasus, unavailable, .choices = "by_mode|recover|drop", .fallback = "by_mode",
              .help = "What becomes of a table that nodes hold replicas of and that none of them "
                      "describes as available: it comes back as an ordinary table, with a warning "
                      "(recover: careful), or is written as dropped, its replicas not named (drop: "
                      "historical)."),
    { 0 },
};

static const struct br_policy pegasus_policy = {
    .table = pegasus_table,
    .names = pegasus_names,
    .partition = pegasus_partition,
};

BR_PLUGIN(policy, pegasus, &pegasus_policy,
          .summary = "Apache Pegasus's rules of recovery, carefully or exactly as 2.5.0 has them.",
          .version = "1.0", .license = "Apache-2.0", BR_STATE(struct pegasus, pegasus_options));

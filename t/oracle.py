"""oracle -- the rules of reconciliation a second time: what a recovery must make of a cluster.

Plain, slow, and sharing nothing with the C code: written from what Apache Pegasus does
(src/meta/server_state.cpp, src/meta/meta_data.cpp), from the promises C7 to C11, and from the headers
and the options' help, where bridle decides otherwise.  t/oracle_compare.py makes clusters and compares
what is said here with what the real judge and policy say (t/oracle_judge.c); t/oracle_real.py compares
it with what a real Apache Pegasus 2.5.0 did.

A rule marked OURS is one that nothing but the C code decides; it is followed here, so that for it the
comparison shows a change, not a mistake.

Texts are strings of one character a byte (latin-1), or None.
"""
from collections import namedtuple

# The limits of bridle/types.h and host/recovery/evidence.h.
NODES_MAX = 4096
TABLE_ID_MAX = 65536
PARTITIONS_MAX = 1048576
CLUSTER_PARTITIONS_MAX = 4194304
REPLICAS_MAX = 64
DROPS_MAX = 15
NAME_MAX = 1024
TEXT_MAX = 1024
ENVS_MAX = 4096
DEFINITIONS_MAX = 16

NOTE, WARNING, LOSS, REFUSAL = range(4)
NODE, NAME, PARTITION = 1, 2, 3  # the order of the report
INVALID = 4
AVAILABLE, DROPPED = 1, 6
STATEFUL, ATOMIC = 1, 8
INACTIVE, IN_ERROR, PRIMARY, SECONDARY, SPLIT = 1, 2, 3, 4, 6
ROLES = {0: 'INVALID', 1: 'INACTIVE', 2: 'ERROR', 3: 'PRIMARY', 4: 'SECONDARY',
         5: 'POTENTIAL_SECONDARY', 6: 'PARTITION_SPLIT'}

# `error`: of a silent node, else None.  `address`: None where it is unknown.
Node = namedtuple('Node', 'name address error tables replicas')
# `node` is whose row it says it is.
Table = namedtuple('Table', 'node id status partitions replicas init flags expire create drop name '
                            'type envs')
Replica = namedtuple('Replica', 'node table partition role ballot committed prepared')

OPTIONS = ('conflict_name', 'conflicts', 'envs', 'status_order', 'ties', 'placeholder_expire',
           'advice', 'unavailable')
CAREFUL = {'conflict_name': 'name-id', 'conflicts': 'majority', 'envs': 'most',
           'status_order': 'last', 'ties': 'spread', 'placeholder_expire': 'zero', 'advice': 'yes',
           'unavailable': 'recover'}
HISTORICAL = {'conflict_name': 'name__id', 'conflicts': 'refuse', 'envs': 'first',
              'status_order': 'ignore', 'ties': 'first', 'placeholder_expire': 'now',
              'advice': 'no', 'unavailable': 'drop'}


def settle(options):
    """What each option means: itself, or what the mode says.  `policy` is not an option but which of
    the policies it is; strict and newest decide in all else as the careful way of pegasus."""
    mode = HISTORICAL if options.get('mode') == 'historical' else CAREFUL
    meant = dict(mode, policy='pegasus')
    for name, value in options.items():
        if name != 'mode' and value != 'by_mode':
            meant[name] = value
    return meant


def ask(findings, group, node, table, partition, consent, what):
    findings.add(group, LOSS, node, table, partition,
                 f'ERROR: {what}, you can allow it by the consent {consent} (recovery.consents)',
                 consent, f'WARNING: {what}')


def odd(meant, findings, group, node, table, partition, consent, what):
    """A warning; the strict policy asks."""
    if meant['policy'] == 'strict':
        ask(findings, group, node, table, partition, consent, what)
    else:
        findings.add(group, WARNING, node, table, partition, f'WARNING: {what}')


class Stop(Exception):
    """No cluster can be made at all."""

    def __init__(self, sentence):
        super().__init__(sentence)
        self.sentence = sentence


class Findings:
    def __init__(self, consents):
        self.consents = consents
        self.groups = {NODE: [], NAME: [], PARTITION: []}
        self.refusals = 0
        self.losses = 0

    def add(self, group, severity, node, table, partition, text, consent=None, consented=None):
        """`consented` is said instead once `consent` was given, or where it is only a note."""
        allowed = consent is not None and (severity == NOTE or consent in self.consents)
        if severity == REFUSAL:
            self.refusals += 1
        elif severity == LOSS and not allowed:
            self.losses += 1
        text = (consented if allowed else text)[:TEXT_MAX]
        if not text.isprintable():
            text = ''.join('?' if c < ' ' or c == '\x7f' else c for c in text)
        self.groups[group].append(f'finding {group} {severity} {node} {table} {partition} '
                                  f'{consent or "-"} {int(allowed)} {text}')

    def passes(self):
        return self.refusals == 0 and self.losses == 0

    def lines(self):
        verdict = 'pass' if self.passes() else 'stop'
        return (self.groups[NODE] + self.groups[NAME] + self.groups[PARTITION]
                + [f'stops {self.refusals} {self.losses} {verdict}'])


# -- Text ------------------------------------------------------------------------------------------

def utf8(text):
    if text.isascii():
        return True
    try:
        text.encode('latin-1').decode('utf-8')
    except UnicodeDecodeError:
        return False
    return True


def sound(text):
    """May it stand in a record?"""
    return (text is not None and 0 < len(text) <= NAME_MAX and utf8(text)
            and not any(c < ' ' or c == '\x7f' for c in text))


# -- Nodes -----------------------------------------------------------------------------------------

def silent_nodes(nodes, findings):
    """C7."""
    for at, node in enumerate(nodes):
        if node.error is not None:
            what = f'collect app and replica info from node({node.name}) failed with err({node.error})'
            findings.add(NODE, LOSS, at, -1, -1,
                         f'ERROR: {what}, you can skip it by set skip_bad_nodes option',
                         'skip_bad_nodes', f'WARNING: {what}, skip the bad node')


def refuse(findings, group, node, table, sentence):
    findings.add(group, REFUSAL, node, table, -1, sentence)
    raise Stop(sentence)


def check_nodes(nodes, findings):
    if len(nodes) > NODES_MAX:
        refuse(findings, NODE, -1, -1,
               f'ERROR: the node list has {len(nodes)} nodes, over the limit of {NODES_MAX}')
    for at, node in enumerate(nodes):
        if any(other.name == node.name for other in nodes[:at]):
            refuse(findings, NODE, at, -1,
                   f'ERROR: node({node.name}) stands in the node list more than once')
    if all(node.error is not None for node in nodes):
        refuse(findings, NODE, -1, -1,
               'ERROR: no node answered, so that nothing is known of the cluster')
    for at, node in enumerate(nodes):
        for other in nodes[:at]:
            if node.address is not None and other.address == node.address:
                refuse(findings, NODE, at, -1,
                       f'ERROR: node({other.name}) and node({node.name}) have the same address'
                       f'({node.address}), so that one server would count twice; leave one of the '
                       'two out of the node list')


# -- What each node says of tables -----------------------------------------------------------------

def claim_wrong(claim):
    if not sound(claim.name):
        return 'a name that is empty, over 1024 bytes, not UTF-8 or with control characters'
    if not sound(claim.type):
        return 'a type that is empty, over 1024 bytes, not UTF-8 or with control characters'
    if not 1 <= claim.partitions <= PARTITIONS_MAX:
        return 'a partition_count that is not between 1 and 1048576'
    if not 1 <= claim.replicas <= DROPS_MAX + 1:
        return 'a max_replica_count that is not between 1 and 16'
    if len(claim.envs) > ENVS_MAX:
        return 'more than 4096 environments'
    if any(key is None or value is None for key, value in claim.envs):
        return 'an environment without text'
    return None


def collect_claims(nodes, findings):
    """By id, in the operator's order: what is believed.  Every id that a node names counts for the
    highest known one, believed or not (OURS: whoever is not believed stops the recovery)."""
    claims = {}
    for at, node in enumerate(nodes):
        for claim in node.tables if node.error is None else ():
            if claim.node != at:
                findings.add(NODE, REFUSAL, at, -1, -1, 'ERROR: the transport gave a table of '
                             f'another node for node({node.name})')
            elif not 1 <= claim.id <= TABLE_ID_MAX:
                findings.add(NODE, REFUSAL, at, -1, -1,
                             f'ERROR: node({node.name}) reports a table with the id {claim.id}, '
                             f'which is not between 1 and {TABLE_ID_MAX}; leave the node out of '
                             'the list to recover without it')
            else:
                claims.setdefault(claim.id, []).append(claim)
    return {tid: believe(tid, claims[tid], nodes, findings) for tid in sorted(claims)}


def believe(tid, claims, nodes, findings):
    """What makes no sense is left out, and of a node the first that makes sense counts."""
    wrong = [claim_wrong(claim) for claim in claims]
    others = None in wrong
    believed = []
    for claim, why in zip(claims, wrong):
        who = f'node({nodes[claim.node].name}) describes app({tid})'
        if why and others:
            findings.add(NODE, WARNING, claim.node, tid, -1,
                         f'WARNING: {who} with {why}, it is not believed')
        elif why:
            findings.add(NODE, REFUSAL, claim.node, tid, -1,
                         f'ERROR: {who} with {why}, and no node describes it better')
        elif any(other.node == claim.node for other in believed):
            findings.add(NODE, WARNING, claim.node, tid, -1,
                         f'WARNING: {who} more than once, the first counts')
        else:
            believed.append(claim)
    return believed


# -- The definition of a table ---------------------------------------------------------------------

# What Pegasus compares, by the names of its fields, and whether it never changes in a table's life.
COMPARED = (
    ('status', lambda t: t.status, False),
    ('app_type', lambda t: t.type, True),
    ('app_name', lambda t: t.name, False),
    ('partition_count', lambda t: t.partitions, True),
    ('is_stateful', lambda t: int(t.flags & STATEFUL != 0), True),
    ('max_replica_count', lambda t: t.replicas, False),
    ('expire_second', lambda t: t.expire, False),
    ('create_second', lambda t: t.create, True),
    ('drop_second', lambda t: t.drop, False),
    ('atomic_idempotent', lambda t: int(t.flags & ATOMIC != 0), False),
)


def compared(claim):
    return tuple(value(claim) for _, value, _ in COMPARED)


def never_changes(claim):
    return tuple(value(claim) for _, value, fixed in COMPARED if fixed)


def differences(ours, other):
    """OURS: values are shown up to 127 bytes, all of it up to 511."""
    parts = []
    for name, value, _ in COMPARED:
        if value(ours) != value(other):
            parts.append(f'{name}({str(value(ours))[:127]}) and ({str(value(other))[:127]})')
    return ', '.join(parts)[:TEXT_MAX // 2 - 1]


def define(tid, claims, nodes, meant, findings):
    """The claim whose definition is taken, with the first responder's rest."""
    definitions = []  # lists of claims that agree, in the order of their first
    for claim in claims:
        for same in definitions:
            if compared(same[0]) == compared(claim):
                same.append(claim)
                break
        else:
            definitions.append([claim])
    if len(definitions) == 1:
        return claims[0]
    if len(definitions) > DEFINITIONS_MAX:
        findings.add(NAME, REFUSAL, -1, tid, -1, f'ERROR: app({tid}) is defined in more than '
                     f'{DEFINITIONS_MAX} different ways by the nodes')
        return claims[0]
    refused = (meant['conflicts'] == 'refuse'
               or len({never_changes(same[0]) for same in definitions}) > 1)
    taken = definitions[0]
    if not refused:
        available = [same for same in definitions if same[0].status == AVAILABLE]
        candidates = available or definitions
        most = max(len(same) for same in candidates)
        taken = [same for same in candidates if len(same) == most][0]
    for same in definitions:
        if same is taken:
            continue
        ours, other = taken[0], same[0]
        what = (f'app({tid}) is defined differently by node({nodes[ours.node].name}) and '
                f'node({nodes[other.node].name}): {differences(ours, other)}')
        if refused:
            findings.add(NAME, REFUSAL, other.node, tid, -1,
                         f'ERROR: {what}; leave the node that is wrong out of the node list')
        else:
            odd(meant, findings, NAME, other.node, tid, -1, 'accept_definitions',
                f'{what}; the first is taken (reported by {len(taken)} nodes, '
                f'the second by {len(same)})')
    return taken[0]


def placeholder(tid, second, meant):
    expire = 0 if meant['placeholder_expire'] == 'zero' else second
    return Table(-1, tid, DROPPED, 1, 3, -1, STATEFUL, expire, 0, 0, f'__drop_holder__{tid}',
                 'pegasus', ())


def writable_envs(tid, envs, findings):
    """Sorted, each key once, the last of it; what is no UTF-8 is lost."""
    kept = {}
    again = 0
    for at, (key, value) in enumerate(envs, 1):
        if not utf8(key) or not utf8(value):
            what = f"app({tid})'s environment {at} is not UTF-8"
            findings.add(NAME, LOSS, -1, tid, -1,
                         f'ERROR: {what}, so that it could not be read back, you can leave it out '
                         'by the consent drop_bad_envs (recovery.consents)', 'drop_bad_envs',
                         f'WARNING: {what}, it is left out')
            continue
        again += key in kept
        kept[key] = value
    if again:
        findings.add(NAME, WARNING, -1, tid, -1,
                     f'WARNING: app({tid}) is reported with {again} environments whose key stands '
                     'there again, the last of each counts')
    return tuple(sorted(kept.items()))


def make_table(tid, claims, nodes, second, meant, findings):
    if not claims:
        return placeholder(tid, second, meant)
    table = define(tid, claims, nodes, meant, findings)
    richest = claims[0]
    if meant['envs'] == 'most':
        most = max(len(claim.envs) for claim in claims)
        richest = [claim for claim in claims if len(claim.envs) == most][0]
    available = table.status == AVAILABLE
    # C10.  OURS: also where no node holds a replica of it; then every partition of it is a loss.
    back = available or meant['unavailable'] == 'recover'
    if meant['advice'] == 'yes':
        if not available:
            end = ('comes back as an ordinary table; drop it again if it shall not' if back else
                   'is written as dropped and its replicas are not named')
            odd(meant, findings, NAME, richest.node, tid, -1, 'accept_unavailable',
                f'app({tid}) ({table.name}) is not available on the nodes that report it, it {end}')
        if back:
            findings.add(NAME, WARNING, richest.node, tid, -1,
                         f"WARNING: app({tid})'s environments are known only as far as "
                         f'node({nodes[richest.node].name}) still had them ({len(richest.envs)}), '
                         'check them with get_app_envs')
        others = [claim for claim in claims if claim.envs != richest.envs]
        if meant['policy'] == 'strict' and others:
            ask(findings, NAME, others[0].node, tid, -1, 'accept_envs',
                f"app({tid})'s environments are others on node({nodes[richest.node].name}) "
                f'({len(richest.envs)}) and node({nodes[others[0].node].name}) '
                f'({len(others[0].envs)}); those of the first are taken')
    return table._replace(node=-1, status=AVAILABLE if back else DROPPED,
                          envs=writable_envs(tid, richest.envs, findings))


def make_tables(claims, nodes, second, meant, findings):
    tables = [make_table(tid, claims.get(tid, []), nodes, second, meant, findings)
              for tid in range(1, max(claims, default=0) + 1)]
    total = sum(table.partitions for table in tables)
    if total > CLUSTER_PARTITIONS_MAX:
        refuse(findings, NAME, -1, -1, f'ERROR: the tables have {total} partitions together, over '
               f'the limit of {CLUSTER_PARTITIONS_MAX}')
    return tables


def make_names(tables, meant, findings):
    """C11: the largest id keeps the name.  A name that would get too long stays, and is refused."""
    if not tables and meant['advice'] == 'yes':
        odd(meant, findings, NAME, -1, -1, -1, 'accept_no_tables',
            'no node described a table, so that none is recovered: if there were any, these are '
            'not their nodes, or their disks are not mounted')
    separator = '-' if meant['conflict_name'] == 'name-id' else '__'
    taken = set()
    for at in reversed(range(len(tables))):
        table = tables[at]
        name = table.name
        while name in taken and len(name) <= NAME_MAX:
            name += f'{separator}{table.id}'
        if len(name) > NAME_MAX:
            findings.add(NAME, REFUSAL, -1, table.id, -1,
                         f"ERROR: app({table.id})'s name is conflict with others, and with its id "
                         f'it would be longer than {NAME_MAX} bytes')
            continue
        taken.add(name)
        if name != table.name:
            odd(meant, findings, NAME, -1, table.id, -1, 'accept_names',
                f"app({table.id})'s old name({table.name}) is conflict with others, rename it to "
                f'({name})')
            tables[at] = table._replace(name=name)
    by_name = sorted(tables, key=lambda table: (table.name, table.id))
    for one, other in zip(by_name, by_name[1:]):
        if one.name == other.name:
            findings.add(NAME, REFUSAL, -1, other.id, -1,
                         f'ERROR: policy {meant["policy"]} leaves app({one.id}) and app({other.id}) with the '
                         f'same name ({one.name})')


# -- Replicas --------------------------------------------------------------------------------------

def collect_replicas(nodes, claims, tables, findings):
    """By partition, in the operator's order; what has no place is told."""
    placed = {}
    undescribed = {}
    for at, node in enumerate(nodes):
        for replica in node.replicas if node.error is None else ():
            tid, index = replica.table, replica.partition
            if replica.node != at:
                findings.add(NODE, REFUSAL, at, -1, -1, 'ERROR: the transport gave a replica of '
                             f'another node for node({node.name})')
            elif not 1 <= tid <= TABLE_ID_MAX:
                findings.add(NODE, REFUSAL, at, -1, -1,
                             f'ERROR: node({node.name}) holds a replica of partition({tid}.{index}),'
                             f' whose table id is not between 1 and {TABLE_ID_MAX}; leave the node '
                             'out of the list to recover without it')
            elif not claims.get(tid):
                undescribed.setdefault(tid, []).append(node.name)
                undescribed.setdefault((tid, 'node'), at)
            elif tables[tid - 1].status != AVAILABLE:
                pass  # of a table that is written as dropped nothing is asked
            elif not 0 <= index < tables[tid - 1].partitions:
                outside(node, replica, tables[tid - 1], findings)
            else:
                placed.setdefault((tid, index), []).append(replica)
    for tid in sorted(tid for tid in undescribed if isinstance(tid, int)):
        names = undescribed[tid]
        findings.add(NODE, REFUSAL, undescribed[tid, 'node'], tid, -1,
                     f'ERROR: app({tid}) has {len(names)} replicas, the first of them on '
                     f'node({names[0]}), but no node describes it; add a node that does to the list,'
                     ' or leave out those that hold its replicas')
    return placed


def outside(node, replica, table, findings):
    what = (f'node({node.name}) holds a replica of partition({replica.table}.{replica.partition}), '
            f'but app({table.id}) has {table.partitions} partitions')
    if replica.role == SPLIT:  # its parent has all that it holds
        findings.add(PARTITION, WARNING, replica.node, replica.table, replica.partition,
                     f'WARNING: {what}, it is left out as the child of a split that was not '
                     'finished')
    else:
        findings.add(PARTITION, LOSS, replica.node, replica.table, replica.partition,
                     f'ERROR: {what}, you can leave it out by the consent skip_stray_replicas '
                     '(recovery.consents)', 'skip_stray_replicas',
                     f'WARNING: {what}, it is left out')


def one_of_each_node(reports, nodes, findings):
    """OURS: the better report of a node counts, by ballot, prepared and committed decree, the later
    one of equals.  (Pegasus takes the later one always.)"""
    kept = []
    for report in reports:
        if not kept or kept[-1].node != report.node:
            kept.append(report)
            continue
        old = kept[-1]
        if ((report.ballot, report.prepared, report.committed)
                >= (old.ballot, old.prepared, old.committed)):
            kept[-1] = report
        findings.add(PARTITION, WARNING, report.node, report.table, report.partition,
                     f'WARNING: node({nodes[report.node].name}) reports '
                     f'partition({report.table}.{report.partition}) more than once, with the '
                     f'ballots {old.ballot} and {report.ballot} and the prepared decrees '
                     f'{old.prepared} and {report.prepared}, the better one counts')
    return kept


def valid_ballots(reports, nodes, findings):
    """None: there are reports, and none has a ballot."""
    good = [report for report in reports if report.ballot >= 0]
    for report in reports:
        if report.ballot >= 0:
            continue
        what = (f'node({nodes[report.node].name}) reports partition({report.table}.'
                f'{report.partition}) with the invalid ballot {report.ballot}')
        if good:
            findings.add(PARTITION, WARNING, report.node, report.table, report.partition,
                         f'WARNING: {what}, it is left out')
        else:
            findings.add(PARTITION, REFUSAL, report.node, report.table, report.partition,
                         f'ERROR: {what}, and no other replica of it was reported; leave the node '
                         'out of the list to recover without it')
    return good if good or not reports else None


# -- Partitions ------------------------------------------------------------------------------------

def promises(replica):
    """Neither in error nor learning nor splitting."""
    return replica.role in (INACTIVE, PRIMARY, SECONDARY)


def drop_list(replicas, keep):
    """Pegasus's: ascending, a new one before its equals, cut from the front; the best first here."""
    dropped = []
    for replica in replicas:
        key = (replica.ballot, replica.committed, replica.prepared)
        at = 0
        while at < len(dropped) and (dropped[at].ballot, dropped[at].committed,
                                     dropped[at].prepared) < key:
            at += 1
        dropped.insert(at, replica)
        while len(dropped) > keep:
            dropped.pop(0)
    return dropped[::-1]


def rank(replicas, index, table, meant):
    """The best first."""
    by_status = meant['status_order'] == 'last'
    spread = meant['ties'] == 'spread'
    if meant['policy'] == 'newest':
        order = sorted(replicas,
                       key=lambda r: (-r.committed, -r.ballot, not promises(r), -r.prepared))
    elif not by_status:
        order = drop_list(replicas, len(replicas) if spread else table.replicas)
    else:
        order = sorted(replicas,
                       key=lambda r: (-r.ballot, not promises(r), -r.committed, -r.prepared))
    if not spread:
        return order
    best = order[0]
    tied = [r for r in order if (r.ballot, r.committed, r.prepared)
            == (best.ballot, best.committed, best.prepared)
            and (not by_status or promises(r) == promises(best))]
    primaries = [at for at, r in enumerate(tied) if r.role == PRIMARY]
    first = primaries[0] if primaries else index % len(tied)
    # OURS: behind the chosen one the list order goes on, and begins again.
    return tied[first:] + tied[:first] + order[len(tied):]


def has_more(replica, primary):
    """Something that the primary lacks; what it committed it has once prepared."""
    if replica.ballot == primary.ballot:
        return replica.committed > primary.committed or replica.prepared > primary.prepared
    return replica.committed > max(primary.prepared, primary.committed)


def passed_over(replicas, primary, nodes, meant, findings):
    """OURS: of several it is the one of the highest prepared decree that is named."""
    more = [r for r in replicas if has_more(r, primary)]
    if not more:
        return
    passed = max(more, key=lambda r: r.prepared)  # the first among equals

    def told(r):
        role = ROLES.get(r.role, 'unknown')
        return f'node({nodes[r.node].name}) ({role}, committed {r.committed}, prepared {r.prepared})'
    lower = 'the same' if passed.ballot == primary.ballot else 'a lower'
    what = (f'partition({primary.table}.{primary.partition}) gets its primary from {told(primary)}, '
            f'and {told(passed)} of {lower} ballot is passed over')
    findings.add(PARTITION, LOSS if meant['status_order'] == 'last' else NOTE, passed.node,
                 passed.table, passed.partition,
                 f'ERROR: {what}, you can allow it by the consent pass_over_replicas '
                 '(recovery.consents)', 'pass_over_replicas', f'WARNING: {what}')


def passed_ballot(replicas, primary, nodes, findings):
    """newest: a higher ballot than the primary's needs its own consent."""
    highest = max(r.ballot for r in replicas)
    if highest == primary.ballot:
        return
    passed = [r for r in replicas if r.ballot == highest][0]
    ask(findings, PARTITION, passed.node, passed.table, passed.partition, 'pass_over_ballots',
        f'partition({primary.table}.{primary.partition}) gets its primary from '
        f'node({nodes[primary.node].name}) (ballot {primary.ballot}, committed {primary.committed}),'
        f' and node({nodes[passed.node].name}) ({ROLES.get(passed.role, "unknown")}, ballot '
        f'{passed.ballot}, committed {passed.committed}) of a higher ballot is passed over')


def oddities(replicas, primary, table, nodes, findings):
    """strict: too few, out of order, two primaries, impossible decrees."""
    tid, index = primary.table, primary.partition
    what = f'partition({tid}.{index})'
    if 2 * len(replicas) <= table.replicas:
        silent = sum(node.error is not None for node in nodes)
        ask(findings, PARTITION, -1, tid, index, 'accept_minority',
            f'{what} has {len(replicas)} of {table.replicas} replicas, a minority: writes that were '
            f'acknowledged may be on none of them ({silent} servers did not answer)')
    lower = [r for r in replicas if r.ballot < primary.ballot and r.committed > primary.committed]
    if lower:
        other = max(lower, key=lambda r: r.committed)
        ask(findings, PARTITION, other.node, tid, index, 'accept_inversions',
            f'{what} gets its primary from node({nodes[primary.node].name}) (ballot '
            f'{primary.ballot}, committed {primary.committed}, prepared {primary.prepared}), though '
            f'node({nodes[other.node].name}) has a lower ballot and more committed decrees (ballot '
            f'{other.ballot}, committed {other.committed})')
    leaders = [r for r in replicas if r.role == PRIMARY]
    if len(leaders) > 1:
        told = ' and '.join(f'node({nodes[r.node].name}) (ballot {r.ballot}, committed '
                            f'{r.committed})' for r in leaders[:2])
        ask(findings, PARTITION, leaders[1].node, tid, index, 'accept_two_primaries',
            f'{what} has more than one primary: {told}')
    for r in replicas:
        if r.prepared < r.committed:
            ask(findings, PARTITION, r.node, tid, index, 'accept_decrees',
                f'node({nodes[r.node].name}) reports {what} with the committed decree {r.committed} '
                f'and only {r.prepared} prepared')


def partition_line(ballot, primary, drops):
    """Ballot, committed decree, flags, replica count of its own, primary, number of secondaries,
    drops: nothing but the ballot, the primary and the drops is known after a recovery."""
    return f'partition {ballot} 0 0 0 {primary} 0' + ''.join(f' {node}' for node in drops)


NOTHING = partition_line(0, -1, [])


def make_partition(table, index, reports, nodes, meant, findings):
    what = f'partition({table.id}.{index})'
    replicas = one_of_each_node(reports, nodes, findings)
    if len(replicas) > REPLICAS_MAX:
        findings.add(PARTITION, REFUSAL, -1, table.id, index, f'ERROR: {what} is reported by '
                     f'{len(replicas)} nodes, over the limit of {REPLICAS_MAX}')
        return NOTHING
    replicas = valid_ballots(replicas, nodes, findings)
    if replicas is None:
        return NOTHING
    if not replicas:  # C9
        findings.add(PARTITION, LOSS, -1, table.id, index,
                     f'ERROR: {what} has no replica collected, you can force recover it by set '
                     'skip_lost_partitions option', 'skip_lost_partitions',
                     f'WARNING: {what} has no replica collected, force recover the lost partition '
                     'to empty')
        return NOTHING
    order = rank(replicas, index, table, meant)
    primary = order[0]
    last_drops = []  # the best at the back
    for replica in order[1:]:
        if len(last_drops) + 1 < table.replicas:
            last_drops.insert(0, replica.node)
    if len(last_drops) + 1 < table.replicas:  # C8
        findings.add(PARTITION, WARNING, -1, table.id, index,
                     f'WARNING: {what} only collects {len(last_drops) + 1}/{table.replicas} of '
                     'replicas, may lost data')
    if meant['advice'] == 'yes' and not promises(primary):
        highest = f'ballot ({primary.ballot})'
        if meant['policy'] == 'newest':
            highest = f'committed decree ({primary.committed})'
        odd(meant, findings, PARTITION, primary.node, table.id, index, 'accept_primary_status',
            f'{what} gets its primary from node({nodes[primary.node].name}), whose '
            f'replica has the highest {highest} but is in status '
            f'{ROLES.get(primary.role, "unknown")} and may be incomplete')
    passed_over(replicas, primary, nodes, meant, findings)
    if meant['policy'] == 'newest':
        passed_ballot(replicas, primary, nodes, findings)
    elif meant['policy'] == 'strict':
        oddities(replicas, primary, table, nodes, findings)
    return partition_line(primary.ballot, primary.node, last_drops)


# -- All of it -------------------------------------------------------------------------------------

PLAIN = frozenset(chr(c) for c in range(0x21, 0x7f)) - {'%'}


def word(text):
    """As oracle_judge reads and writes a text."""
    if text is None:
        return '~'
    if text.isalnum() and text.isascii():
        return '=' + text
    return '=' + ''.join(c if c in PLAIN else f'%{ord(c):02x}' for c in text)


def table_line(table):
    envs = ''.join(f' {word(key)} {word(value)}' for key, value in table.envs)
    return (f'table {table.id} {table.status} {table.partitions} {table.replicas} {table.init} '
            f'{table.flags} {table.expire} {table.create} {table.drop} {word(table.name)} '
            f'{word(table.type)}{envs}')


def judge(nodes, second, meant, consents):
    """The lines that oracle_judge must print for this cluster."""
    findings = Findings(consents)
    silent_nodes(nodes, findings)
    if not findings.passes():
        return findings.lines() + ['silent']
    try:
        check_nodes(nodes, findings)
        claims = collect_claims(nodes, findings)
        tables = make_tables(claims, nodes, second, meant, findings)
        make_names(tables, meant, findings)
        placed = collect_replicas(nodes, claims, tables, findings)
    except Stop as stop:
        return findings.lines() + [f'failed {INVALID} {stop.sentence}']
    written = []
    for table in tables:
        written.append(table_line(table))
        for index in range(table.partitions):
            if table.status == AVAILABLE:
                written.append(make_partition(table, index, placed.get((table.id, index), []),
                                              nodes, meant, findings))
            else:
                written.append(NOTHING)
    return (findings.lines()
            + [f'node {word(node.name)} {node.address or "invalid address"}' for node in nodes]
            + written)

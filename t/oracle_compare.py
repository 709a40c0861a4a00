"""oracle_compare.py JUDGE [--random N] [--seed S] [--every K] [--family NAME] [--only NUMBER] --
makes clusters, and compares what t/oracle.py and the real judge (JUDGE, t/oracle_judge.c) say of each,
word by word: the findings with their subjects, every table, every partition.

Small clusters of the families below, every K-th of each (1: all; 0: none) and all of `limits`, then N
random ones, which follow from the seed alone.  A difference is told with its number, made small, and as oracle_judge reads
it.  Exit status 1: they differ.
"""
import argparse
import functools
import itertools
import random
import subprocess
import sys
import tempfile
import time

import oracle
from oracle import Node, Replica, Table, word

BATCH = 1000
SHOWN_MAX = 20000  # characters of a text where they differ
SECOND = 1700000000
CONSENTS = ('skip_bad_nodes', 'skip_lost_partitions', 'skip_stray_replicas', 'pass_over_replicas',
            'drop_bad_envs')
# Those of the policies strict and newest.
MORE_CONSENTS = ('accept_definitions', 'accept_unavailable', 'accept_envs', 'accept_names',
                 'accept_minority', 'accept_inversions', 'accept_two_primaries',
                 'accept_primary_status', 'accept_decrees', 'accept_no_tables',
                 'pass_over_ballots')
STRICT, NEWEST = {'policy': 'strict'}, {'policy': 'newest'}
PEGASUS = ({'mode': 'careful'}, {'mode': 'historical'})
MODES = PEGASUS + (STRICT, NEWEST)


def all_consents(options):
    """As many as one recovery takes: the host's and those of this policy."""
    return CONSENTS + (MORE_CONSENTS if 'policy' in options else ())

# One cluster, and under which options and consents it is judged.
Case = oracle.namedtuple('Case', 'label options consents nodes')


def case_text(case):
    lines = [f'cluster {case.label} {SECOND}']
    for node in case.nodes:
        lines.append(f'node {word(node.name)} {node.address or "-"} {node.error or ""}')
        for table in node.tables:
            lines.append(f'table {table.node} ' + oracle.table_line(table)[6:])
        lines += [f'replica {r.node} {r.table} {r.partition} {r.role} {r.ballot} {r.committed} '
                  f'{r.prepared}' for r in node.replicas]
    lines.append('judge\n')
    return '\n'.join(lines)


def options_text(case):
    options = ' '.join(f'{name}={value}' for name, value in case.options.items())
    return f'options {options}\n'


def consents_text(case):
    return f'consents {" ".join(case.consents)}\n'


def expected(case):
    lines = oracle.judge(case.nodes, SECOND, oracle.settle(case.options), case.consents)
    return f'cluster {case.label}\n' + '\n'.join(lines) + '\n'


# -- Families: all clusters of a kind --------------------------------------------------------------

NAMES = [f'10.0.0.{i}:34801' for i in range(1, 200)]


def plain_table(node, tid, **changes):
    table = Table(node, tid, 1, 2, 3, -1, oracle.STATEFUL, 0, 1600000000, 0, f't{tid}', 'pegasus',
                  ())
    return table._replace(**changes) if changes else table


def plain_node(at, tables, replicas, error=None):
    return Node(NAMES[at], NAMES[at], error, tables, replicas)


def family_replicas():
    """One table of two partitions, three nodes, each of them silent, without a replica, or with the
    same replica of both partitions: of ballot 0 or 1, with 0/0, 0/1, 1/1 or 1/0 (committed/prepared),
    PRIMARY, SECONDARY, ERROR or learning; one to three replicas wanted; both modes, everything or
    nothing consented to."""
    states = ['silent', None] + list(itertools.product(
        (0, 1), ((0, 0), (0, 1), (1, 1), (1, 0)), (3, 4, 2, 5)))
    for wanted in (3, 2, 1):
        tables = [[plain_table(at, 1, replicas=wanted)] for at in range(3)]
        made = [[plain_node(at, tables[at], [Replica(at, 1, p, s[2], s[0], *s[1]) for p in (0, 1)]
                            if s not in ('silent', None) else [],
                            'ERR_TIMEOUT' if s == 'silent' else None) for s in states]
                for at in range(3)]
        for options in MODES:
            for consents in (all_consents(options), ()):
                for nodes in itertools.product(*made):
                    yield options, consents, list(nodes)


def family_places():
    """Two tables of two partitions, three nodes; each of the twelve places empty, or with a replica
    of ballot 0 or 1; both modes, everything consented to."""
    tables = [[plain_table(at, 1), plain_table(at, 2)] for at in range(3)]
    made = []
    for at in range(3):
        made.append([plain_node(at, tables[at], [
            Replica(at, 1 + place // 2, place % 2, 1, ballot, 5, 5)
            for place, ballot in enumerate(ballots) if ballot is not None])
            for ballots in itertools.product((None, 0, 1), repeat=4)])
    for options in MODES:
        for nodes in itertools.product(*made):
            yield options, all_consents(options), list(nodes)


def family_definitions():
    """Two tables and three nodes, each of which says of each table nothing, the plain thing, or one of
    six others, and holds a replica of it; both modes."""
    changes = [None, {}, {'status': 6}, {'name': 't'}, {'partitions': 1}, {'replicas': 2},
               {'envs': (('b', '1'), ('a', '\xff'), ('b', '2'))}, {'name': 't2-1'}]
    made = []
    for at in range(3):
        made.append([plain_node(
            at, [plain_table(at, tid, **change) for tid, change in ((1, one), (2, two))
                 if change is not None],
            [Replica(at, 1, 1, 3, 1, 1, 1), Replica(at, 2, 0, 4, 1, 1, 1)])
            for one in changes for two in changes])
    for options in MODES:
        for nodes in itertools.product(*made):
            yield options, all_consents(options), list(nodes)


def family_consents():
    """Every set of consents, every set of silent ones of three nodes, and every set of eight things
    that need a consent, or that none cures; both modes."""
    @functools.lru_cache(None)
    def make(at, silent, lost, stray, split, passed, env, undescribed, invalid, twice):
        tables = [plain_table(at, 1, envs=(('a', '\xc3'), ('c', 'd')) if env else ())]
        rows = [Replica(at, 1, 0, 1, 2 if at else 3, 1, 1)]
        if not lost:
            rows.append(Replica(at, 1, 1, 2 + at, 1, 3 - at, 9))
        if stray and at == 1:
            rows.append(Replica(at, 1, 2, 1, 1, 1, 1))
        if split and at == 2:
            rows.append(Replica(at, 1, 3, 6, 1, 1, 1))
        if passed and at == 2:
            rows[0] = Replica(at, 1, 0, 1, 2, 7, 7)
        if undescribed and at == 0:
            rows.append(Replica(at, 3, 0, 1, 1, 1, 1))
        if invalid:
            rows = [r._replace(ballot=-1) if r.partition == 1 and r.node else r for r in rows]
        if twice and at == 1:
            rows.append(Replica(at, 1, 0, 3, 2, 1, 2))
        return plain_node(at, tables, rows, 'ERR_NETWORK_FAILURE' if silent else None)
    sets = [tuple(itertools.compress(CONSENTS, bits))
            for bits in itertools.product((0, 1), repeat=len(CONSENTS))]
    for options in PEGASUS:
        for consents in sets:
            for silent in itertools.product((0, 1), repeat=3):
                for things in itertools.product((0, 1), repeat=8):
                    yield options, consents, [make(at, silent[at], *things) for at in range(3)]


def family_names():
    """Five tables of one node, each of one of six names or reported by nobody; both ways of naming."""
    names = ('a', 'a-1', 'a__2', 'a-1-1', '__drop_holder__2', 'b' * 1023, None)
    for options in MODES:
        for given in itertools.product(names, repeat=5):
            tables = [plain_table(0, tid, name=name, partitions=1)
                      for tid, name in enumerate(given, 1) if name]
            yield options, all_consents(options), [plain_node(0, tables, [])]


def family_limits():
    """Each limit, reached and passed."""
    def nodes(count, table=None, replica=None):
        return [Node(f'n{at}:1', None, None, [table(at)] if table else [],
                     [replica(at)] if replica else []) for at in range(count)]

    def one(**changes):
        return [plain_node(0, [plain_table(0, 1, **changes)], [])]
    clusters = []
    for more in (0, 1):
        clusters.append(nodes(oracle.NODES_MAX + more))
        clusters.append(nodes(oracle.REPLICAS_MAX + more, lambda at: plain_table(at, 1),
                              lambda at: Replica(at, 1, 0, 4, 1, at % 7, 9)))
        clusters.append(nodes(oracle.DEFINITIONS_MAX + more,
                              lambda at: plain_table(at, 1, name=f'n{at}')))
        clusters.append(nodes(20, lambda at: plain_table(at, 1, replicas=oracle.DROPS_MAX + 1 + more),
                              lambda at: Replica(at, 1, at % 2 * 0, 4, 1, at % 7, 9)))
        clusters.append(one(name='n' * (oracle.NAME_MAX + more)))
        clusters.append(one(type='n' * (oracle.NAME_MAX + more)))
        clusters.append(one(envs=(('k', 'v'),) * (oracle.ENVS_MAX + more)))
        clusters.append([plain_node(0, [plain_table(0, oracle.TABLE_ID_MAX + more)], [])])
        clusters.append([plain_node(0, [plain_table(0, tid, partitions=oracle.PARTITIONS_MAX)
                                        for tid in range(1, 6)], [])])
        clusters.append(one(partitions=oracle.PARTITIONS_MAX + 1, replicas=more))
        clusters.append([plain_node(0, [plain_table(0, tid, name='n' * (1023 - more))
                                        for tid in range(1, 12)], [])])
    for options in MODES:
        for cluster in clusters:
            yield options, CONSENTS, cluster


FAMILIES = {'replicas': family_replicas, 'places': family_places,
            'definitions': family_definitions, 'consents': family_consents,
            'names': family_names, 'limits': family_limits}


def families(every, only):
    for name, family in FAMILIES.items():
        if only in (None, name):
            step = 1 if name == 'limits' else every
            for at, made in enumerate(family()):
                if at % step == 0:
                    yield Case(f'{name}-{at}', *made)


# -- Random clusters -------------------------------------------------------------------------------

TABLE_NAMES = ('a', 'b', 'a-1', 'a-2', 'a__1', '__drop_holder__3', 'a-1-1', 'temp', '\xc3\xa9')
BAD_TEXTS = (None, '', 'a\nb', '\xff', '\xed\xa0\x80', 'a\x7f', 'x' * 1025, '%', 'a b')
ODD = (-1, 0, -2147483648, 2147483647, 65537, 65536, 17)
ENV_KEYS = ('a', 'b', 'c', 'replica.slow', '\xe2\x82\xac')
ENV_VALUES = ('1', '2', '', 'x y', '\xc3\xa9')


class Random:
    def __init__(self, seed):
        self.random = random.Random(seed).random

    def below(self, limit):
        return int(self.random() * limit)

    def one(self, things):
        return things[int(self.random() * len(things))]

    def chance(self, probability):
        return self.random() < probability


def random_options(rng):
    if rng.chance(0.3):
        return rng.one(({}, STRICT, NEWEST))
    options = {'mode': rng.one(('careful', 'historical'))}
    if rng.chance(0.6):
        for name in oracle.OPTIONS:
            options[name] = rng.one(('by_mode', oracle.CAREFUL[name], oracle.HISTORICAL[name]))
    return options


def random_envs(rng, noise):
    envs = []
    while rng.chance(0.4):
        bad = rng.chance(noise / 4)
        envs.append((rng.one(ENV_KEYS), rng.one(('\xff', None)) if bad else rng.one(ENV_VALUES)))
    return tuple(envs)


def random_change(rng, table):
    field = rng.one(('status', 'status', 'replicas', 'name', 'init', 'flags', 'expire', 'drop',
                     'partitions', 'create', 'type', 'flags'))
    value = {'status': rng.below(9), 'replicas': 1 + rng.below(4), 'name': rng.one(TABLE_NAMES),
             'init': rng.below(3), 'flags': rng.below(16), 'expire': rng.below(2) * 1700009999,
             'drop': rng.below(2) * 1600009999, 'partitions': 1 + rng.below(5),
             'create': 1600000000 + rng.below(2), 'type': rng.one(('pegasus', 'simple'))}[field]
    return table._replace(**{field: value})


def random_claims(rng, at, tables, noise):
    claims = []
    for table in tables:
        if rng.chance(0.2):
            continue
        table = table._replace(node=at)
        if rng.chance(0.5):
            table = table._replace(envs=random_envs(rng, noise))
        if rng.chance(0.05 + noise / 2):
            table = random_change(rng, table)
        if rng.chance(noise / 8):
            table = table._replace(**{rng.one(('name', 'type')): rng.one(BAD_TEXTS)})
        if rng.chance(noise / 8):
            table = table._replace(**{rng.one(('partitions', 'replicas')): rng.one(ODD[:4])})
        if rng.chance(noise / 16):
            table = table._replace(id=rng.one(ODD[:5]))
        if rng.chance(noise / 16):
            table = table._replace(node=at - 1)
        claims.append(table)
        if rng.chance(noise / 4):
            claims.append(random_change(rng, table))
    return claims


def random_rows(rng, at, tables, spread, noise):
    ballots, decrees = spread
    rows = []
    for table in tables:
        for index in range(table.partitions):
            while rng.chance(0.7):
                committed = rng.below(decrees)
                row = Replica(at, table.id, index, rng.below(7), rng.below(ballots + 1), committed,
                              committed + rng.below(decrees))
                if rng.chance(0.5):
                    row = row._replace(role=rng.one((1, 3, 4)))
                if rng.chance(noise):
                    field = rng.one(('ballot', 'ballot', 'partition', 'partition', 'table', 'node',
                                     'role', 'prepared', 'committed'))
                    value = {'ballot': -1, 'partition': index + 1 + rng.below(3),
                             'table': rng.below(9), 'node': at + 1, 'role': rng.one(ODD),
                             'prepared': rng.below(9) - 1, 'committed': rng.below(9) - 1}[field]
                    if rng.chance(0.1):
                        value = rng.one(ODD)
                    row = row._replace(**{field: value})
                rows.append(row)
                if not rng.chance(noise):
                    break
    return rows


def random_case(seed, number):
    rng = Random(f'{seed}/{number}')
    noise = rng.one((0, 0, 0.02, 0.1))
    consents = (CONSENTS + MORE_CONSENTS if rng.chance(0.5) else
                tuple(c for c in CONSENTS + MORE_CONSENTS if rng.chance(0.7)))
    count = 1 + rng.below(6)
    if rng.chance(0.01):
        count = 1 + rng.below(70)
    spread = (1 + rng.below(3), 1 + rng.below(4))
    tables = []
    for tid in range(1, 2 + rng.below(5)):
        if rng.chance(0.85):
            table = plain_table(-1, tid, partitions=1 + rng.below(4), name=f't{tid}')
            if rng.chance(0.5):
                table = table._replace(name=rng.one(TABLE_NAMES))
            if rng.chance(noise / 4):
                table = table._replace(name='x' * (1020 + rng.below(6)))
            if rng.chance(0.2):
                table = random_change(rng, table)
            tables.append(table)
    nodes = []
    for at in range(count):
        name, address = NAMES[at], rng.one((NAMES[at], NAMES[at], NAMES[at], None))
        if rng.chance(noise / 10):
            address = NAMES[rng.below(count)]
        if rng.chance(noise / 20):
            name = NAMES[rng.below(count)]
        error = rng.one(('ERR_TIMEOUT', 'ERR_NETWORK_FAILURE')) if rng.chance(0.08) else None
        nodes.append(Node(name, address, error, random_claims(rng, at, tables, noise),
                          random_rows(rng, at, tables, spread, noise)))
    return consents, nodes


def randoms(seed, first, count):
    for number in range(first, first + count):
        if number % 20 == 0 or number == first:
            options = random_options(Random(f'{seed}/options/{number // 20}'))
        yield Case(f'{seed}/{number}', options, *random_case(seed, number))


# -- Comparing -------------------------------------------------------------------------------------

class Batch:
    """Judged by the other side while this side thinks, and compared as one text where it is equal."""

    def __init__(self, judge, cases):
        self.cases = cases
        self.input = tempfile.TemporaryFile()
        self.output = tempfile.TemporaryFile()
        parts = []
        options = consents = None
        for case in cases:
            if case.options != options:
                options, consents = case.options, None
                parts.append(options_text(case))
            if case.consents != consents:
                consents = case.consents
                parts.append(consents_text(case))
            parts.append(case_text(case))
        self.input.write(''.join(parts).encode('latin-1'))
        self.input.seek(0)
        self.process = subprocess.Popen([judge], stdin=self.input, stdout=self.output)
        self.expected = None

    def think(self):
        self.expected = [expected(case) for case in self.cases]

    def finish(self):
        """The first case that differs, with both texts; None: none."""
        status = self.process.wait()
        self.output.seek(0)
        said = self.output.read().decode('latin-1')
        self.input.close()
        self.output.close()
        if said == ''.join(self.expected) and status == 0:
            return None
        told = split(said)
        for case, want, got in itertools.zip_longest(self.cases, self.expected, told, fillvalue=''):
            if want != got:
                return case, want, got or f'nothing; it ended with status {status}'
        return self.cases[-1], self.expected[-1], f'all, but it ended with status {status}'


def split(said):
    parts = []
    for line in said.splitlines(keepends=True):
        if line.startswith('cluster '):
            parts.append([])
        parts[-1].append(line)
    return [''.join(part) for part in parts]


def differs(judge, case):
    batch = Batch(judge, [case])
    batch.think()
    return batch.finish()


def smaller(case):
    """The same with one thing less."""
    for at in reversed(range(len(case.nodes))):
        node = case.nodes[at]
        if at == len(case.nodes) - 1:
            yield case._replace(nodes=case.nodes[:at])
        for field in ('tables', 'replicas'):
            rows = getattr(node, field)
            for i in range(len(rows)):
                less = node._replace(**{field: rows[:i] + rows[i + 1:]})
                yield case._replace(nodes=case.nodes[:at] + [less] + case.nodes[at + 1:])


def minimise(judge, found):
    again = True
    tries = 0
    while again and tries < 2000:
        again = False
        for case in smaller(found[0]):
            tries += 1
            less = differs(judge, case)
            if less:
                found, again = less, True
                break
    return found


def tell(judge, found):
    if found[2].startswith('cluster ') and not found[0].label.startswith('limits'):
        found = minimise(judge, found)
    case, want, got = found
    print(f'FAILED: cluster {case.label}: the two differ:')
    print(options_text(case) + consents_text(case) + case_text(case)[:SHOWN_MAX])
    print('-- the oracle:\n' + want[:SHOWN_MAX] + '-- the judge:\n' + got[:SHOWN_MAX])


def compare(judge, cases, what):
    begin = time.monotonic()
    done = passed = lines = 0
    batches = iter(lambda: list(itertools.islice(cases, BATCH)), [])
    for chunk in batches:
        batch = Batch(judge, chunk)
        batch.think()
        found = batch.finish()
        if found:
            tell(judge, found)
            return False
        done += len(chunk)
        passed += sum(' pass\n' in text for text in batch.expected)
        lines += sum(text.count('\n') for text in batch.expected)
    took = time.monotonic() - begin
    print(f'{what}: {done} clusters equal, {passed} of them recovered, {lines} lines; '
          f'{done / took:.0f} a second', flush=True)
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('judge')
    parser.add_argument('--random', type=int, default=0)
    parser.add_argument('--seed', default='1')
    parser.add_argument('--every', type=int, default=1)
    parser.add_argument('--family', choices=FAMILIES)
    parser.add_argument('--only', type=int, help='one random cluster, by its number')
    args = parser.parse_args()
    good = True
    for name in FAMILIES if args.every else ():
        if args.family in (None, name):
            what = 'all' if args.every == 1 or name == 'limits' else f'every {args.every}th'
            good = compare(args.judge, families(args.every, name), f'{name} ({what})') and good
    if args.only is not None:
        good = compare(args.judge, randoms(args.seed, args.only, 1), 'one') and good
    if args.random:
        good = compare(args.judge, randoms(args.seed, 0, args.random),
                       f'random (seed {args.seed})') and good
    sys.exit(not good)


main()

"""oracle_real.py DIR -- the oracle itself against a real Apache Pegasus 2.5.0: for every cluster in DIR
(N.spec.json) its historical mode must say and write what a meta server answered and wrote
(N.real.json).  Allowed, as in t/test_oracle.c: a dead node's error is either of two, and a
placeholder's expire_second is the time of the run.
"""
import glob
import json
import re
import sys

import oracle
from oracle import Node, Replica, Table


def survey(spec, error):
    nodes = []
    by_name = {node['node']: node for node in spec['nodes']}
    for at, name in enumerate(spec['list']):
        node = by_name[name]
        tables = [Table(at, a['id'], a['status'], a['partitions'], a['replicas'],
                        a['init_partitions'], oracle.STATEFUL | 2 * bool(a.get('duplicating')),
                        a['expire'], a['create'], a['drop'], a['name'], 'pegasus',
                        tuple(a['envs'].items())) for a in node.get('apps', ())]
        replicas = [Replica(at, r['app'], r['p'], r['status'], r['ballot'], r['committed'],
                            r['prepared']) for r in node.get('replicas', ())]
        nodes.append(Node(name, name, error if node.get('dead') else None, tables, replicas))
    return nodes


def written(tree, names):
    """The tree as the oracle's lines."""
    lines = [f'node {oracle.word(name)} {name}' for name in names]
    tables = sorted(int(path.split('/')[2]) for path in tree if path.count('/') == 2)
    for tid in tables:
        app = json.loads(tree[f'/apps/{tid}'])
        status = {'app_status::AS_AVAILABLE': 1, 'app_status::AS_DROPPED': 6}[app['status']]
        flags = app['is_stateful'] + 2 * app['duplicating'] + 4 * app['is_bulk_loading']
        lines.append(oracle.table_line(Table(
            -1, app['app_id'], status, app['partition_count'], app['max_replica_count'],
            app['init_partition_count'], flags, app['expire_second'], app['create_second'],
            app['drop_second'], app['app_name'], app['app_type'], tuple(app['envs'].items()))))
        for index in range(app['partition_count']):
            record = json.loads(tree[f'/apps/{tid}/{index}'])
            primary = record['primary']
            if (record['pid'] != f'{tid}.{index}' or record['secondaries']
                    or record['max_replica_count'] != app['max_replica_count']
                    or record['last_committed_decree'] or record['partition_flags']):
                return [f'what is this: {record}']
            lines.append(oracle.partition_line(
                record['ballot'], names.index(primary) if primary in names else -1,
                [names.index(name) for name in record['last_drops']]))
    return lines


def differs(spec, real):
    """What the oracle says and the real one says, where it is not the same."""
    error = 'ERR_TIMEOUT' if 'err(ERR_TIMEOUT)' in real['hint'] else 'ERR_NETWORK_FAILURE'
    consents = [consent for consent, flag in (('skip_bad_nodes', 'skip_bad'),
                                              ('skip_lost_partitions', 'skip_lost')) if spec[flag]]
    holder = re.search(r'__drop_holder__.*?"expire_second\\?":(\d+)', str(real['tree']))
    lines = oracle.judge(survey(spec, error), int(holder[1]) if holder else 0,
                         oracle.settle({'mode': 'historical'}), consents)
    found = [line.split(' ', 8) for line in lines if line.startswith('finding ')]
    hint = ''.join(words[8] + '\n' for words in found if int(words[2]) != oracle.NOTE)
    stops = next(at for at, line in enumerate(lines) if line.startswith('stops '))
    passed = lines[stops].endswith('pass')
    ours = (passed, hint, lines[stops + 1:] if passed else [])
    theirs = (real['err'] == 'ERR_OK', real['hint'],
              written(real['tree'], spec['list']) if real['tree'] else [])
    return None if ours == theirs else (ours, theirs)


def main():
    bad = 0
    specs = sorted(glob.glob(sys.argv[1] + '/*.spec.json'))
    for path in specs:
        with open(path) as spec, open(path.replace('.spec.', '.real.')) as real:
            both = differs(json.load(spec), json.load(real))
        if both:
            bad += 1
            print(f'FAILED: {path}:\nthe oracle: {both[0]}\nthe real one: {both[1]}')
    print(f'real: {len(specs) - bad} of {len(specs)} clusters equal to a real meta server\'s')
    sys.exit(bad > 0)


main()

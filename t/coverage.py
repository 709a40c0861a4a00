#!/usr/bin/env python3
"""coverage.py BUILD -- evaluates what a build configured with --enable-coverage has counted: lines
and branches of the recovery, the policies and the stores, each file and the sum; status 1 below the
floor.  Needs gcc's gcov and nothing else.  -v: every line that never ran or lacks a branch, too.

A source that is compiled into several programs counts once: a line or a branch has run where it ran
in any of them.
"""
import fnmatch
import gzip
import json
import os
import re
import subprocess
import sys
import tempfile

PARTS = ['host/recovery/*.c', 'plugin/policy_*.c', 'plugin/pegasus_*.c', 'plugin/store_*.c',
         'plugin/zookeeper_*.c', 'plugin/etcd_*.c']
LINES_FLOOR = 98.0
BRANCHES_FLOOR = 95.0
RULE = """\
Every line that gcov knows counts.  Every branch of theirs counts but those of assert(), from its
name to the end of its statement: their failing side is a bug of ours and ends the process."""


def assert_lines(path):
    """The numbers of the lines that an assert() touches."""
    with open(path, encoding='utf-8') as source:
        text = source.read()
    found = set()
    for match in re.finditer(r'\bassert\(', text):
        depth, end = 1, match.end()
        while depth > 0:
            depth += {'(': 1, ')': -1}.get(text[end], 0)
            end += 1
        first = text.count('\n', 0, match.start()) + 1
        found.update(range(first, text.count('\n', 0, end) + 2))
    return found


def source_of(note, top):
    """The counted source that a .gcno file belongs to, if any."""
    directory, name = os.path.split(note)
    if os.path.basename(directory) == '.libs':
        directory = os.path.dirname(directory)
    base = name[:-len('.gcno')].split('-')[-1] + '.c'  # a program's own object: PROGRAM-source
    path = os.path.join(directory, base)
    known = any(fnmatch.fnmatch(path, part) for part in PARTS)
    return path if known and os.path.exists(os.path.join(top, path)) else None


def notes(build):
    for directory, _, names in os.walk(build):
        for name in names:
            if name.endswith('.gcno'):
                yield os.path.relpath(os.path.join(directory, name), build)


def gcov(build, note):
    """What gcov says of one object, by source file."""
    with tempfile.TemporaryDirectory() as room:
        done = subprocess.run(['gcov', '--json-format', '--branch-probabilities',
                               os.path.join(build, note)], cwd=room, capture_output=True, text=True)
        made = [name for name in os.listdir(room) if name.endswith('.json.gz')]
        if done.returncode != 0 or len(made) != 1:
            sys.exit(f'gcov {note}: {done.stderr.strip()}')
        with gzip.open(os.path.join(room, made[0]), 'rt') as answer:
            return json.load(answer)['files']


def collect(build, top):
    """{source: {line: [ran, [branch ran, ...]]}}"""
    counted = {}
    for note in sorted(notes(build)):
        path = source_of(note, top)
        if not path:
            continue
        lines = counted.setdefault(path, {})
        for part in gcov(build, note):
            if os.path.relpath(os.path.join(build, part['file']), top) != path:
                continue
            for said in part['lines']:
                line = lines.setdefault(said['line_number'], [False, []])
                line[0] = line[0] or said['count'] > 0
                ran = [branch['count'] > 0 for branch in said['branches']]
                line[1] += [False] * (len(ran) - len(line[1]))
                for index, one in enumerate(ran):
                    line[1][index] = line[1][index] or one
    return counted


def percent(part, whole):
    return 100.0 * part / whole if whole else 100.0


def row(name, lines, branches):
    return f'{name:40} {percent(*lines):6.2f} % of {lines[1]:5} {percent(*branches):8.2f} % of {branches[1]:5}'


def main():
    verbose = '-v' in sys.argv[1:]
    build = os.path.abspath([word for word in sys.argv[1:] if word != '-v'][0])
    top = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    counted = collect(build, top)
    if not counted:
        sys.exit(f'{build} has no counters: configure it with --enable-coverage')
    print(RULE)
    print(f'{"":40} {"lines":>17} {"branches":>19}')
    all_lines, all_branches = [0, 0], [0, 0]
    for path, lines in sorted(counted.items()):
        skipped = assert_lines(os.path.join(top, path))
        branches = [ran for number, line in lines.items() if number not in skipped for ran in line[1]]
        of_lines = (sum(line[0] for line in lines.values()), len(lines))
        of_branches = (sum(branches), len(branches))
        print(row(path, of_lines, of_branches))
        all_lines = [a + b for a, b in zip(all_lines, of_lines)]
        all_branches = [a + b for a, b in zip(all_branches, of_branches)]
        for number, line in sorted(lines.items()) if verbose else []:
            if not line[0]:
                print(f'    {path}:{number}: never ran')
            elif number not in skipped and not all(line[1]):
                sides = ' '.join('+' if ran else '-' for ran in line[1])
                print(f'    {path}:{number}: {sides}')
    print(row('all', all_lines, all_branches))
    if percent(*all_lines) < LINES_FLOOR or percent(*all_branches) < BRANCHES_FLOOR:
        print(f'FAILED: the floor is {LINES_FLOOR:g} % of the lines, {BRANCHES_FLOOR:g} % of the branches')
        sys.exit(1)


main()

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { postgresPrograms, postgresUser } from '../../packages/volume/test/postgres.ts';
import type { System } from './filesystems.ts';
import { shell, type Bar, type Row } from './volume-row.ts';

const compared: readonly System[] = [
  'ensconce',
  'batched',
  'collected',
  'gocryptfs',
  'securefs',
  'loop',
  'bare',
];
const goal = (of: System): readonly Bar[] => [{ of, than: 'bare', ratio: 0.7, store: 'disk' }];

/**
 * SQLite as it is out of the box: rollback journal, synchronous FULL. The database is there before time is taken, and so are 200 other
 * transactions, on every file system: what a volume's worker does is compiled while it does it, which pgbench's initialisation
 * sees to below.
 */
function sqlite(rows: number): Row['measure'] {
  return async (path) => {
    const folder = mkdtempSync(join(path, 'sqlite-'));
    const transactions = rows === 1 ? 200 : 100;
    const program = `
import os, sqlite3, time
def milliseconds(path, transactions):
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("create table t (id integer primary key, name text, body blob)")
    db.execute("create index n on t (name)")
    began = time.perf_counter()
    for i in range(transactions):
        db.execute("begin")
        for j in range(${rows}):
            db.execute("insert into t (name, body) values (?, ?)", (os.urandom(8).hex(), os.urandom(100)))
        db.execute("commit")
    taken = (time.perf_counter() - began) * 1000
    assert db.execute("pragma integrity_check").fetchone() == ("ok",)
    return taken
milliseconds("before", 200)
print(milliseconds("db", ${transactions}))
`;
    try {
      return Number(await shell(`python3 -c '${program}'`, { cwd: folder }));
    } finally {
      rmSync(folder, { recursive: true });
    }
  };
}

/** pgbench's own workload with 8 clients, on a server with the settings it has out of the box. */
function pgbench(seconds: number): Row['measure'] {
  return async (path) => {
    const [bin, user] = [postgresPrograms(), postgresUser()];
    if (bin === undefined || user === undefined)
      throw new Error(
        'bench: PostgreSQL and its user expected, none found\nhint: apt-get install postgresql',
      );
    const data = join(path, 'postgres');
    const socket = mkdtempSync(join(tmpdir(), 'bench-pg-'));
    mkdirSync(data, { mode: 0o700 });
    for (const folder of [data, socket]) chownSync(folder, user.uid, user.gid);
    const options = { ...user, cwd: '/' };
    try {
      await shell(`${bin}/initdb -D ${data} -A trust -N >/dev/null`, options);
      const settings = ['listen_addresses=', `unix_socket_directories=${socket}`];
      const server = spawn(
        join(bin, 'postgres'),
        ['-D', data, ...settings.flatMap((setting) => ['-c', setting])],
        { ...options, stdio: ['ignore', 'ignore', 'ignore'] },
      );
      const ended = once(server, 'close');
      try {
        await shell(
          `for i in $(seq 200); do ${bin}/pg_isready -q -h ${socket} && exit; sleep 0.1; done; exit 1`,
          options,
        );
        await shell(`${bin}/pgbench -h ${socket} -i -s 10 -q postgres 2>&1`, options);
        await shell(`${bin}/psql -h ${socket} -qc checkpoint postgres`, options);
        const report = await shell(
          `${bin}/pgbench -h ${socket} -c 8 -j 2 -T ${seconds} postgres 2>&1`,
          options,
        );
        const rate = /tps = ([0-9.]+) \(without initial/.exec(report)?.[1];
        if (rate === undefined) throw new Error(`bench: a rate of pgbench expected, found:\n${report}`);
        return 1_000_000 / Number(rate);
      } finally {
        server.kill('SIGINT');
        await ended;
      }
    } finally {
      rmSync(data, { recursive: true, force: true });
      rmSync(socket, { recursive: true, force: true });
    }
  };
}

export function databaseRows(quick: boolean): readonly Row[] {
  return [
    { name: 'sqlite 100 rows', systems: compared, bars: goal('collected'), measure: sqlite(100) },
    { name: 'sqlite 1 row', systems: compared, bars: [], measure: sqlite(1) },
    {
      name: 'pgbench 8 clients',
      systems: compared,
      bars: goal('batched'),
      measure: pgbench(quick ? 10 : 30),
    },
  ];
}

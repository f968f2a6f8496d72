import assert from 'node:assert/strict';
import { chmodSync, chownSync, mkdirSync } from 'node:fs';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadNative } from '@ensconce/fuse/native';
import { postgres, postgresPrograms, postgresUser } from '../test/postgres.ts';
import { needsMounts, place, serve, volumeKey } from '../test/served-volume.ts';
import { check, createVolume } from './commands.ts';

const user = postgresUser();
const skip = postgresPrograms() && user ? needsMounts.skip : 'SKIPPED: PostgreSQL is needed';

/** What pgbench keeps equal in every transaction, and how many there were. */
const totals = `select (select sum(abalance) from pgbench_accounts), (select sum(tbalance) from pgbench_tellers),
  (select sum(bbalance) from pgbench_branches), (select sum(delta) from pgbench_history),
  (select count(*) from pgbench_history)`;

for (const durability of ['settled', 'collected-100ms'] as const)
  void test(
    `PostgreSQL has every transaction that it answered after kill -9 of the volume and of itself (${durability})`,
    { skip, timeout: 300_000 },
    async (t) => {
      const here = place(t);
      const volume = {
        directory: here.directory,
        volumeKey,
        keeper: { kind: 'file', path: here.tag },
      } as const;
      createVolume(volume);
      const folder = dirname(here.directory);
      chmodSync(folder, 0o755);
      const [data, socket] = [join(here.mountpoint, 'data'), join(folder, 'socket')];
      mkdirSync(socket);
      let server = await serve(t, here, durability);
      mkdirSync(data, { mode: 0o700 });
      for (const own of [data, socket]) chownSync(own, user?.uid ?? 0, user?.gid ?? 0);
      const database = postgres(data, socket);
      await database.run('initdb', ['-D', data, '-A', 'trust', '--data-checksums']);
      let running = await database.start();
      t.after(() => running.stop('SIGKILL'));
      await database.run('pgbench', ['-i', '-q', '-s', '2']);
      await database.run('pgbench', ['-c', '4', '-j', '2', '-t', '100']);

      const interrupted = database.run('pgbench', ['-n', '-c', '4', '-j', '2', '-T', '60'], true);
      await sleep(3000);
      server.kill('SIGKILL');
      await once(server, 'exit');
      const report = await interrupted;
      const answered = Number(/transactions actually processed: (\d+)/.exec(report)?.[1]);
      assert.ok(answered > 20, report);
      await running.stop('SIGKILL');
      loadNative().umount2(here.mountpoint, 2);

      server = await serve(t, here, durability);
      running = await database.start();
      const [accounts, tellers, branches, history, transactions] = (
        await database.run('psql', ['-Atc', totals])
      )
        .trim()
        .split('|');
      assert.deepEqual([tellers, branches, history], [accounts, accounts, accounts]);
      const kept = Number(transactions) - 400;
      t.diagnostic(`${answered} transactions were answered before the crash, ${kept} are there after it`);
      assert.ok(kept >= answered && kept <= answered + 4, `${kept} of ${answered}`);
      assert.equal(await database.run('pg_amcheck', ['--install-missing', '--heapallindexed']), '');
      await running.stop('SIGINT');
      assert.match(await database.run('pg_checksums', ['--check', '-D', data]), /^Bad checksums: +0$/m);
      server.kill('SIGTERM');
      await once(server, 'exit');
      assert.deepEqual((await check(volume)).problems, []);
    },
  );

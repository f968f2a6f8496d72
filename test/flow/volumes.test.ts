import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { pythonImage } from '../images/python.ts';
import {
  addService,
  needsContainers,
  openWorld,
  simulationWarning,
  type Confidential,
  type RunOptions,
  type World,
} from './harness.ts';
import type { Spec } from './container.ts';
import type { Finished } from './processes.ts';
import { startCas, stop, type Cas } from './services.ts';

const secret = 'Vermilion Otter keeps her diary in the cellar';

/** Writes the secret under its own name, and says who owns what. */
const put = `
import os
file = os.open("/data/${secret.split(' ', 1)[0]}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
os.write(file, b"${secret}" * 1000)
os.fsync(file)
status = os.stat("/data")
print("written", status.st_uid, status.st_gid, os.listdir("/data"))
`;

const get = `
import os
print(sorted(os.listdir("/data")))
for name in sorted(os.listdir("/data")): print(name, open("/data/" + name).read()[:45])
print([line.split()[3] for line in open("/proc/mounts") if line.split()[1] == "/data"][0].split(",")[:3])
`;

/** Appends every line of its input to a file and says when it is durable. */
const journal = `
import os, sys
file = os.open("/data/journal", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
print("ready", flush=True)
for line in sys.stdin:
    try:
        os.write(file, line.encode())
        os.fsync(file)
        print("durable", line.strip(), flush=True)
    except OSError as error:
        print("failed", error.strerror, flush=True)
`;

void describe('volumes of confidential containers', needsContainers, () => {
  let world: World;
  let cas: Cas;
  let image: Confidential;
  before(async () => {
    world = await openWorld();
    ({ cas } = world);
    const brought = await bringVolume();
    image = await world.confidential('diary', await pythonImage(), (session) => {
      for (const [name, program] of Object.entries({ put, get, journal }))
        addService(session, name, ['python3', '-c', program]);
      const [plain] = session.images;
      const [first] = session.services;
      if (plain === undefined || first === undefined) throw new Error('image and service expected');
      session.images.push({
        ...plain,
        name: 'ephemeral',
        volumes: [{ name: 'diary', path: '/data', update_policy: 'ephemeral' }],
      });
      session.images.push({
        ...plain,
        name: 'loose',
        volumes: [{ name: 'loose', path: '/data', update_policy: 'no_rollback_protection' }],
      });
      for (const [name, volume, policy] of [
        ['rooted', 'rooted', 'rollback_protected'],
        ['rooted-ephemeral', 'rooted', 'ephemeral'],
        ['brought', 'brought', 'rollback_protected'],
      ] as const) {
        const volumes = [{ name: volume, path: '/data', update_policy: policy }];
        session.images.push({ ...plain, name, volumes });
        for (const [verb, program] of Object.entries({ put, get }))
          addService(session, `${name}-${verb}`, ['python3', '-c', program], {
            image_name: name,
            ensconce: { user: '0:0' },
          });
      }
      session.images.push({
        ...plain,
        name: 'late',
        volumes: [{ name: 'late', path: '/data', ensconce: { durability: 'tag-follows-100ms' } }],
      });
      addService(session, 'late-journal', ['python3', '-c', journal], { image_name: 'late' });
      addService(session, 'late-get', ['python3', '-c', get], { image_name: 'late' });
      plain.volumes = [{ name: 'diary', path: '/data' }];
      session.secrets.push({ name: 'brought_key', kind: 'binary', value: '05'.repeat(32) });
      session.volumes = [{ name: 'diary' }, { name: 'loose' }, { name: 'rooted' }, { name: 'late' }, brought];
      addService(session, 'ephemeral', ['python3', '-c', `${put}${get}`], { image_name: 'ephemeral' });
      addService(session, 'loose-put', ['python3', '-c', put], { image_name: 'loose' });
      addService(session, 'loose-get', ['python3', '-c', get], { image_name: 'loose' });
    });
  });
  after(async () => {
    if (cas !== world.cas) await stop(cas.running);
    await world.close();
  });

  /** The disk of the volume `diary`: one disk, because there is one volume, from its first use on. */
  let diary: string;
  /** A volume that its owner made, with a file in it, for a session of hers. */
  async function bringVolume(): Promise<{ name: string; [other: string]: unknown }> {
    const [key, files] = [join(world.folder, 'brought.key'), join(world.folder, 'files')];
    const place = [join(world.folder, 'brought'), '--key-file', key];
    writeFileSync(key, Buffer.alloc(32, 5));
    mkdirSync(files);
    writeFileSync(join(files, 'letter'), 'from home');
    await world.done(['volume', 'create', ...place]);
    await world.done(['volume', 'add', ...place, files]);
    const { text } = await world.done(['volume', 'show', ...place, '--json']);
    const { tag } = JSON.parse(text) as { tag: string };
    return { name: 'brought', fspf_key: '$$SCONE::brought_key:hex$$', ensconce: { tag } };
  }

  let count = 0;
  /** A folder of the host's that stands for a disk. */
  function disk(): string {
    const folder = join(world.folder, `disk-${count++}`);
    mkdirSync(folder);
    return folder;
  }
  const on = (folder: string, service: string, more: RunOptions = {}): RunOptions => ({
    ...more,
    service,
    mounts: [{ source: folder, destination: '/data', readOnly: false }],
  });

  function refused(found: Finished, reason: RegExp): void {
    assert.match(found.errors, /\[ENSCONCE\|FATAL\] volume \w+ at \/data: /);
    assert.match(found.errors, reason);
    assert.equal(found.text, '', 'nothing of the program');
    assert.equal(found.status, 125);
  }

  function done(found: Finished): string {
    assert.equal(found.errors, simulationWarning);
    assert.equal(found.status, 0);
    return found.text;
  }

  const auditLog = (): string => readFileSync(join(world.folder, 'cas', 'audit.jsonl'), 'utf8');

  const copyOf = (folder: string): string => {
    const copy = disk();
    cpSync(folder, copy, { recursive: true });
    return copy;
  };

  /** A program that writes lines when it is told to. */
  async function writer(folder: string, service = 'journal') {
    const container = world.start(image, on(folder, service, { open: true }));
    await container.until(/^ready$/m);
    return {
      ...container,
      write: async (line: string) => {
        container.child.stdin?.write(`${line}\n`);
        const [, answer] = await container.until(new RegExp(`^(durable ${line}$|failed .*$)`, 'm'));
        return answer;
      },
      end: () => {
        container.child.stdin?.end();
        return container.finished;
      },
    };
  }

  void test('what one run writes the next one reads, and the host sees nothing of it', async () => {
    diary = disk();
    mkdirSync(join(diary, 'lost+found'));
    assert.match(done(await world.run(image, on(diary, 'put'))), /^written \d+ \d+ \['Vermilion'\]/);
    const text = done(await world.run(image, on(diary, 'get')));
    assert.equal(text, `['Vermilion']\nVermilion ${secret}\n['rw', 'nosuid', 'nodev']\n`);
    for (const name of readdirSync(diary)) {
      if (name === 'lost+found') continue;
      assert.match(name, /^(?:volume|head\.[0-9a-f]{14}|[0-9a-f]{8}\.segment)$/);
      const content = readFileSync(join(diary, name), 'latin1');
      assert.equal(content.includes('Otter') || content.includes('Vermilion'), false, name);
    }
    const events = auditLog().match(/"on":"\w+"/g);
    assert.deepEqual(events?.slice(-3), ['"on":"close"', '"on":"open"', '"on":"close"']);
  });

  void test('a disk that was rolled back, emptied, exchanged, damaged or not mounted is refused', async () => {
    const older = copyOf(diary);
    const { write, end } = await writer(diary);
    await write('one');
    done(await end());
    const newest = copyOf(diary);

    refused(await world.run(image, on(older, 'get')), /older or foreign ones found/);
    refused(
      await world.run(image, on(disk(), 'get')),
      /the files of an initialised volume expected, none found/,
    );
    refused(
      await world.run(image, { service: 'get' }),
      /a folder of the host expected at \/data of the container/,
    );

    const names = readdirSync(newest).sort();
    const last = names.findLast((name) => name.endsWith('.segment')) ?? '';
    for (const name of [...names.filter((other) => /^(?:volume|head)/.test(other)), last]) {
      const changed = copyOf(newest);
      const content = readFileSync(join(changed, name));
      // At the end of a segment stands the state that CAS knows, and after it zeros.
      const at = name === last ? content.findLastIndex((byte) => byte !== 0) : content.length >> 1;
      content[at] = (content[at] as number) ^ 1;
      writeFileSync(join(changed, name), content);
      refused(await world.run(image, on(changed, 'get')), /Caused by: /);
    }
    assert.match(done(await world.run(image, on(diary, 'get'))), /\['Vermilion', 'journal'\]/);
  });

  void test('of two runs at once the later one writes, and the earlier one gets an error', async () => {
    const first = await writer(diary);
    assert.equal(await first.write('two'), 'durable two');
    const second = await writer(diary);
    assert.equal(await second.write('three'), 'durable three');
    assert.equal(await first.write('lost'), 'failed Input/output error');
    assert.equal(await second.write('four'), 'durable four');
    assert.match((await first.end()).errors, /to be the one writer expected, another has taken over/);
    done(await second.end());
    assert.match(done(await world.run(image, on(diary, 'get'))), /journal one\ntwo\nthree\nfour\n/);
  });

  void test('what was durable when the container was killed is there', async () => {
    const killed = await writer(diary);
    assert.equal(await killed.write('five'), 'durable five');
    killed.kill('KILL');
    assert.equal((await killed.finished).status, 137);
    assert.match(done(await world.run(image, on(diary, 'get'))), /four\nfive\n/);
  });

  void test('a CAS that is killed and comes back knows the tag, and the container goes on', async () => {
    const going = await writer(diary);
    assert.equal(await going.write('six'), 'durable six');
    const older = copyOf(diary);
    await stop(cas.running, 'SIGKILL');
    const written = going.write('seven');
    cas = await startCas(world.folder, world.las, { client: cas.client, service: cas.service });
    assert.equal(await written, 'durable seven');
    done(await going.end());
    refused(await world.run(image, on(older, 'get')), /older or foreign ones found/);
    assert.match(done(await world.run(image, on(diary, 'get'))), /six\nseven\n/);
  });

  void test('with durability tag-follows-100ms fsync is ahead of CAS by 100 ms at most, and the exit waits', async () => {
    const folder = disk();
    const { write, end } = await writer(folder, 'late-journal');
    assert.equal(await write('one'), 'durable one');
    await sleep(500);
    const older = copyOf(folder);
    const process = cas.running.child;
    process.kill('SIGSTOP');
    let three: Promise<string | undefined>;
    try {
      assert.equal(await write('two'), 'durable two', 'CAS has not heard of it');
      await sleep(200);
      three = write('three');
      assert.equal(await Promise.race([three, sleep(1000, 'waits')]), 'waits', 'the window is over');
    } finally {
      process.kill('SIGCONT');
    }
    assert.equal(await three, 'durable three');
    await sleep(500);
    process.kill('SIGSTOP');
    let ended: Promise<Finished>;
    try {
      assert.equal(await write('four'), 'durable four');
      ended = end();
      assert.equal(
        await Promise.race([ended, sleep(1500, 'waits')]),
        'waits',
        'for CAS to know the last tag',
      );
    } finally {
      process.kill('SIGCONT');
    }
    done(await ended);
    refused(await world.run(image, on(older, 'late-get')), /older or foreign ones found/);
    assert.match(done(await world.run(image, on(folder, 'late-get'))), /journal one\ntwo\nthree\nfour\n/);
  });

  void test('an ephemeral volume shows the state that CAS knows, and keeps nothing', async () => {
    const before = copyOf(diary);
    const text = done(await world.run(image, on(diary, 'ephemeral')));
    assert.match(text, /^written \d+ \d+ .*\n.*'Vermilion', 'journal'/);
    for (const name of readdirSync(before).filter((other) => other !== 'lost+found'))
      assert.deepEqual(readFileSync(join(diary, name)), readFileSync(join(before, name)), name);
    done(await world.run(image, on(diary, 'put')));
    refused(await world.run(image, on(before, 'ephemeral')), /older or foreign ones found/);
  });

  void test('without roll-back protection an older state is accepted, an empty one is not', async () => {
    const folder = disk();
    done(await world.run(image, on(folder, 'loose-put')));
    const older = copyOf(folder);
    done(await world.run(image, on(folder, 'loose-put')));
    assert.match(done(await world.run(image, on(older, 'loose-get'))), /Vermilion Otter/);
    refused(await world.run(image, on(disk(), 'loose-get')), /the files of an initialised volume expected/);
  });

  void test('a volume that its owner made is taken over with its tag', async () => {
    const folder = join(world.folder, 'brought');
    const older = copyOf(folder);
    assert.match(done(await world.run(image, on(folder, 'brought-get'))), /letter from home/);
    done(await world.run(image, on(folder, 'brought-put')));
    refused(await world.run(image, on(older, 'brought-get')), /older or foreign ones found/);
    const place = [folder, '--key-file', join(world.folder, 'brought.key')];
    await world.done(['volume', 'check', ...place]);
    const out = join(world.folder, 'out');
    await world.done(['volume', 'extract', ...place, out]);
    assert.match(readFileSync(join(out, 'Vermilion'), 'utf8'), /^Vermilion Otter/);
  });

  void test('volumes work in a user namespace too', async () => {
    const folder = disk();
    const change = (spec: Spec): void => {
      const { capabilities } = spec.process;
      for (const [name, list] of Object.entries(capabilities))
        capabilities[name] = list.filter((entry) => entry !== 'CAP_SYS_ADMIN');
    };
    assert.match(done(await world.run(image, on(folder, 'rooted-put', { change }))), /^written 0 0/);
    assert.match(done(await world.run(image, on(folder, 'rooted-get', { change }))), /Vermilion Otter/);
    assert.match(
      done(await world.run(image, on(folder, 'rooted-ephemeral-put', { change }))),
      /^written 0 0/,
    );
    const engines: RunOptions = {
      change: (spec) => {
        spec.linux.namespaces.push({ type: 'user' });
        const whole = [{ containerID: 0, hostID: 0, size: 65_536 }];
        Object.assign(spec.linux, { uidMappings: whole, gidMappings: whole });
        spec.mounts = spec.mounts.filter((mount) => mount.type !== 'sysfs');
      },
    };
    assert.match(done(await world.run(image, on(folder, 'rooted-get', engines))), /Vermilion Otter/);
  });

  void test('`ensconce run` takes the folder of a volume, and says what is wrong with it', async () => {
    const config = ['--cas', cas.service, '--las', world.las, '--config-id', `${image.name}/get`];
    const run = (...volumes: string[]) =>
      world.ensconce([
        'run',
        `oci:${image.path}`,
        ...config,
        ...volumes.flatMap((volume) => ['--volume', volume]),
      ]);
    assert.match((await run(`${diary}:/data`)).text, /Vermilion Otter/);
    for (const wrong of ['/data', `${diary}:data`, `${diary}:/data/`, `${diary}:/proc/x`, `${diary}:/`])
      assert.match((await run(wrong)).errors, /--volume: HOSTDIR:PATH expected/, wrong);
    assert.match((await run(`${diary}/none:/data`)).errors, /--volume: a folder at .* expected, none found/);
  });
});

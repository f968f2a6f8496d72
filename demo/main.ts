/**
 * `npm run demo`: one application becomes confidential and runs, attested, on this machine; then it is attacked. Uses
 * the same commands as a user would, in simulation mode, and leaves nothing behind.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { splitCommand } from '@ensconce/policy/command';
import { runNative } from '../test/images/native.ts';
import { flippedByte, foreignSessions, plaintext, swappedRuntime, type Deployment } from './attacks.ts';
import { nativeImage } from './native-image.ts';
import { Stage } from './stage.ts';

const help = `npm run demo [-- OPTIONS]

  --image REFERENCE   your own image from a registry instead of the patients' report (python:3.12-slim)
  --command COMMAND   start this in it instead of what the image says
  --help

Needs root (or sudo), Debian 12 and amd64. Everything it makes is in a temporary folder that it removes.`;

interface Options {
  readonly image: string | undefined;
  readonly command: readonly string[] | undefined;
}

function options(): Options {
  const { values } = parseArgs({
    options: { image: { type: 'string' }, command: { type: 'string' }, help: { type: 'boolean' } },
  });
  if (values.help === true) {
    console.log(help);
    process.exit(0);
  }
  const command = values.command === undefined ? undefined : splitCommand(values.command);
  if (command !== undefined && 'message' in command) throw new Error(`--command: ${command.message}`);
  return { image: values.image, command };
}

/** The lines of CAS's audit log since the last look, in words. */
function auditEvents(stage: Stage): string {
  return readFileSync(stage.path('cas', 'audit.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { sequence: number; event: Record<string, unknown> })
    .map(({ sequence, event }) => `${sequence} ${JSON.stringify(event)}`)
    .join('\n');
}

async function demonstrate(stage: Stage, wanted: Options): Promise<void> {
  stage.step('A native image');
  const native = await nativeImage(wanted.image);
  try {
    stage.say(native.reference);
    const expected = await runNative(native.path, [], wanted.command ? { command: wanted.command } : {});
    stage.say(
      `run natively with runc: exit code ${expected.status}, ${expected.stdout.length} bytes of output:`,
    );
    stage.say(expected.stdout.toString());

    stage.step('LAS, with SIMULATED hardware, and CAS');
    const vendor = stage.path('simulated-vendor');
    const socket = stage.path('las.sock');
    await stage.service(['las', 'serve', '--simulate', '--state', vendor, '--socket', socket]);
    const anyPort = '127.0.0.1:0';
    const simulation = ['--insecure-accept-simulation', vendor];
    const cas = await stage.service([
      'cas',
      'serve',
      '--state',
      stage.path('cas'),
      '--las',
      socket,
      '--listen-client',
      anyPort,
      '--listen-service',
      anyPort,
      ...simulation,
    ]);
    const client = cas['client'] as string;

    stage.step('Verify CAS before trusting it with anything');
    const measurement = (await stage.succeed(['cas', 'measure'])).trim();
    stage.say(await stage.succeed(['cas', 'attest', client, '--mrenclave', measurement, ...simulation]));

    stage.step('Transform the image');
    const layout = stage.path('confidential');
    const sessionFile = stage.path('session.yml');
    stage.say(
      await stage.succeed([
        'image',
        '--from',
        native.reference,
        '--to',
        `oci:${layout}`,
        '--name',
        'demo',
        '--session',
        sessionFile,
        ...(wanted.command
          ? ['--command', wanted.command.map((word) => JSON.stringify(word)).join(' ')]
          : []),
      ]),
    );

    stage.step('Upload the policy');
    stage.say(await stage.succeed(['session', 'create', sessionFile]));

    stage.step('Run the confidential image with runc');
    const runArguments = ['--cas', cas['service'] as string, '--las', socket];
    const run = await stage.ensconce(['run', `oci:${layout}`, ...runArguments, '--log', 'DEBUG']);
    stage.say(run.stderr);
    stage.say(run.stdout.toString());
    stage.check(
      `output and exit code are those of the native run, byte for byte (${run.stdout.length} bytes)`,
      run.status === expected.status && run.stdout.equals(expected.stdout),
      `exit code ${run.status}\n${run.stderr}`,
    );
    stage.say('what CAS wrote into its audit log:');
    stage.say(auditEvents(stage));

    const deployment: Deployment = { stage, layout, sessionFile, markers: native.markers, runArguments };
    plaintext(deployment);
    await flippedByte(deployment);
    await swappedRuntime(deployment);
    await foreignSessions(deployment);
  } finally {
    native.remove();
  }
}

const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop.abort());

const wanted = options();
const stage = new Stage(stop.signal);
const began = performance.now();
try {
  await demonstrate(stage, wanted);
  console.log(
    `\nDone in ${((performance.now() - began) / 1000).toFixed(1)} s. The hardware was SIMULATED: this protects nothing until it runs on a TEE.`,
  );
} catch (error) {
  if (stop.signal.aborted) {
    console.error('\ndemo: interrupted, tidying up');
    process.exitCode = 130;
  } else {
    console.error(`\ndemo: ${error instanceof Error ? error.message : 'failed'}`);
    process.exitCode = 1;
  }
} finally {
  await stage.tidy();
}
process.exit();

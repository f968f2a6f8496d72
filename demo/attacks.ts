import { readFileSync, writeFileSync } from 'node:fs';
import { searchPlaintext } from './plaintext.ts';
import type { Stage } from './stage.ts';
import { readManifest, withChangedLayer } from './tamper.ts';

/** The confidential image and what runs it. */
export interface Deployment {
  readonly stage: Stage;
  /** Folder of the confidential image's layout. */
  readonly layout: string;
  readonly sessionFile: string;
  readonly markers: readonly string[];
  /** Arguments of `ensconce run` beside the image. */
  readonly runArguments: readonly string[];
}

/** Runs what must not start: exit code 125, no output, and a reason that matches. */
async function refused(
  deployment: Deployment,
  layout: string,
  more: readonly string[],
  reason: RegExp,
): Promise<void> {
  const { stage } = deployment;
  const { status, stdout, stderr } = await stage.ensconce([
    'run',
    `oci:${layout}`,
    ...deployment.runArguments,
    ...more,
  ]);
  stage.say(stderr);
  stage.check(
    'refused, with the reason, and the program printed nothing',
    status === 125 && stdout.length === 0 && reason.test(stderr),
    `exit code ${status}`,
  );
}

export function plaintext({ stage, layout, markers }: Deployment): void {
  stage.step('No plaintext: search every blob, manifest and configuration of the confidential image');
  const runtime = readManifest(layout).layers[0]?.digest ?? '';
  const { blobs, bytes, found } = searchPlaintext(layout, markers, [runtime]);
  stage.check(
    `none of ${markers.length} texts of code, data, file names, labels and history in ${blobs} files, ${bytes} bytes`,
    found.length === 0 && markers.length > 0,
    found.slice(0, 5).join(', '),
  );
}

export async function flippedByte(deployment: Deployment): Promise<void> {
  const { stage, layout } = deployment;
  stage.step('Flip one byte of a sealed layer, as a registry could (all digests made right again)');
  const copy = stage.path('flipped');
  withChangedLayer(layout, copy, 1, (tar) => {
    const at = Math.floor(tar.length / 2);
    tar.writeUInt8(tar.readUInt8(at) ^ 1, at);
    return tar;
  });
  await refused(deployment, copy, [], /SEALED|sealed layer/);
}

export async function swappedRuntime(deployment: Deployment): Promise<void> {
  const { stage, layout } = deployment;
  stage.step('Swap the runtime: one character of its code is another');
  const copy = stage.path('swapped');
  withChangedLayer(layout, copy, 0, (tar) => {
    const at = tar.indexOf('nothing is protected from the host');
    if (at < 0) throw new Error('the runtime holds the text that is changed here: expected');
    tar.write('Nothing', at);
    return tar;
  });
  await refused(deployment, copy, [], /MRENCLAVE|measurement/);
}

export async function foreignSessions(deployment: Deployment): Promise<void> {
  const { stage, layout, sessionFile } = deployment;
  stage.step('Ask for a session that does not exist');
  await refused(deployment, layout, ['--config-id', 'nobody/app'], /nobody\/app/);

  stage.step("Ask for another service's configuration");
  const neighbour = stage.path('neighbour.yml');
  const other = 'ab'.repeat(32);
  const text = readFileSync(sessionFile, 'utf8');
  writeFileSync(
    neighbour,
    text
      .replace(/^name: .*$/m, 'name: neighbour')
      .replace(/(mrenclave:\s*- )"?[0-9a-f]{64}"?/, `$1"${other}"`),
    { mode: 0o600 },
  );
  await stage.succeed(['session', 'create', neighbour]);
  await refused(deployment, layout, ['--config-id', 'neighbour/app'], /neighbour\/app/);

  stage.step('Update the policy so that it lists another measurement than that of this image');
  const updated = stage.path('updated.yml');
  writeFileSync(updated, text.replace(/(mrenclave:\s*- )"?[0-9a-f]{64}"?/, `$1"${other}"`), { mode: 0o600 });
  await stage.succeed(['session', 'update', updated]);
  await refused(deployment, layout, [], /MRENCLAVE|measurement/);
}

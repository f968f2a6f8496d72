import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { parseDescription } from '@ensconce/measurement/image';
import { encodeDescription, measureDescription, type ImageDescription } from '@ensconce/measurement/image';
import { Bindings } from '../src/sessions/bindings.ts';
import { SecretValues } from '../src/sessions/secret-values.ts';
import { Sessions } from '../src/sessions/sessions.ts';
import { writeSession, type Written } from '../src/sessions/write-session.ts';
import { PreparedConfigurations } from '../src/service-port/prepared-configurations.ts';
import type { SourceContext } from '../src/service-port/start-source.ts';
import { Serial } from '../src/state/serial.ts';
import { openState, type State } from '../src/state/state.ts';
import { insecureKeyFile } from '../src/store/key-sealer.ts';
import { VolumeTags } from '../src/volumes/volume-tags.ts';
import { testFolder } from './cas-under-test.ts';

const creator = { kind: 'certificate', pem: '', keyHash: '1'.repeat(43) } as const;

/** The state of a CAS without one around it. */
export interface StateUnderTest {
  readonly state: State;
  /** Milliseconds since 1970; set at will. */
  readonly clock: { now: number };
  /** Creates or updates a session. */
  readonly write: (text: string, sessions?: Sessions) => Promise<Written>;
  /** What starts take, by sessions none of which is in memory. */
  readonly cold: () => SourceContext;
}

export async function stateUnderTest(t: TestContext): Promise<StateUnderTest> {
  const folder = join(testFolder(t), 'state');
  const clock = { now: Date.now() };
  const now = (): Date => new Date(clock.now);
  const random = randomBytes;
  const state = await openState({ folder, sealer: insecureKeyFile(folder), random, now });
  t.after(async () => {
    await state.audit.close();
    state.store.close();
  });
  const writes = new Serial();
  const refuse = (): never => {
    throw new Error('nobody else to ask');
  };
  const cold = (): SourceContext => {
    const sessions = new Sessions(state);
    const values = new SecretValues({
      state,
      sessions,
      writes,
      random,
      now,
      clock: () => 0,
      cas: '',
      bindings: new Bindings(state, writes),
      otherCases: { ask: refuse },
      longestWait: 1000,
      azure: undefined as never,
    });
    const volumeTags = new VolumeTags({ state, writes, random });
    return { sessions, values, volumeTags, configurations: new PreparedConfigurations() };
  };
  return {
    state,
    clock,
    cold,
    write: (text, sessions = new Sessions(state)) =>
      writeSession(
        { state, sessions, random, now, owners: new Set(), anybodyCreates: true },
        { text, author: { creator, keyHash: creator.keyHash, signers: undefined } },
      ),
  };
}

/** The image of {@link sessionOfSecrets}, with its measurement. */
export function programOf(layers: readonly string[]): {
  readonly description: ImageDescription;
  readonly measurement: string;
} {
  const encoded = encodeDescription({
    format: 'ensconce-image/1',
    architecture: 'amd64',
    runtime: '2'.repeat(64),
    layers: [...layers],
    cas: { identity: '0'.repeat(64), simulated: true },
  });
  return { description: parseDescription(encoded), measurement: measureDescription(encoded) };
}

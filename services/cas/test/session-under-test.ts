import type { TestContext } from 'node:test';
import { deleteSession, postSession } from '@ensconce/api/client';
import type { AttestAnswer } from '@ensconce/wire/attestation';
import type { CasOptions } from '../src/cas.ts';
import { casUnderTest, clientKeys, type CasUnderTest, type ClientKeys } from './cas-under-test.ts';
import {
  attestOnce,
  imageFor,
  measure,
  type AttestOptions,
  type ServiceConnection,
} from './service-under-test.ts';

export interface SessionUnderTest extends CasUnderTest {
  /** The measurement of the image that services under test run. */
  readonly measurement: string;
  /** Creates a session, or with `predecessor` updates it; gives its hash. */
  readonly write: (session: SessionParts) => Promise<string>;
  /** Deletes a session; gives the hash of its tombstone. */
  readonly remove: (name: string, hash: string) => Promise<string>;
  /** Starts service `app` of a session; `session@code` with a one-time password. */
  readonly begin: (
    session: string,
    options?: Partial<AttestOptions>,
  ) => Promise<{ readonly answer: AttestAnswer; readonly connection: ServiceConnection }>;
  /** `configured`, or the code and the reasons of the refusal. */
  readonly outcome: (session: string, options?: Partial<AttestOptions>) => Promise<string>;
}

export interface SessionParts {
  readonly name: string;
  readonly predecessor?: string;
  /** Lines of the service, indented by four. */
  readonly service?: string;
  /** Lines of the list of secrets. */
  readonly secrets?: string;
  /** Further keys of the session. */
  readonly more?: string;
  /** Lines of `ensconce` of the session. */
  readonly ensconce?: string;
}

/** A CAS in this process whose sessions all have one service that runs the same image. */
export async function sessionUnderTest(
  t: TestContext,
  options: Partial<CasOptions> & { readonly folder?: string; readonly keys?: ClientKeys } = {},
): Promise<SessionUnderTest> {
  const started = await casUnderTest(t, options);
  const { cas, vendor } = started;
  const image = imageFor(cas);
  const measurement = measure(image);
  const keys = options.keys ?? (await clientKeys());
  const begin: SessionUnderTest['begin'] = (session, changes = {}) => {
    const [name, code] = session.split('@');
    const configId = `${name}/app${code === undefined ? '' : `@${code}`}`;
    return attestOnce({ cas, vendor, image, configId, ...changes });
  };
  return {
    ...started,
    measurement,
    begin,
    write: async ({ name, predecessor, service, secrets = '', more = '', ensconce = '' }) => {
      const { hash } = await postSession(
        await started.connect(keys),
        `name: ${name}
version: "0.3.12"
predecessor: ${predecessor ?? '~'}
ensconce:
  accept_simulation: true
${ensconce}services:
  - name: app
    image_name: image
    command: /bin/app
${service ?? `    attestation: {mrenclave: ${measurement}}\n`}images:
  - name: image
    ensconce: {layers: [{root: "${image.layers[0]}", key: "$$SCONE::layer:hex$$"}]}
secrets:
  - {name: layer, kind: binary, size: 32}
${secrets}${more}`,
      );
      return hash;
    },
    remove: async (name, hash) => (await deleteSession(await started.connect(keys), name, hash)).hash,
    outcome: async (session, changes) => {
      const { answer, connection } = await begin(session, changes);
      connection.socket.destroy();
      return answer.type === 'configured' ? 'configured' : `${answer.code}: ${answer.msg.join(': ')}`;
    },
  };
}

import { join } from 'node:path';
import { postSession } from '@ensconce/api/client';
import { CasConnection } from '@ensconce/api/connection';
import { selfSigned } from '@ensconce/identity/self-signed';
import { keyHashOfCertificate } from '@ensconce/policy/key-hash';
import { runProgram, serveCas, type Server } from './process.ts';
import { sessionName, sessionText } from './session.ts';

/** A state that holds sessions, in `folder`/`name`, while no CAS serves it. */
export interface FilledState {
  readonly folder: string;
  readonly name: string;
  readonly sessions: number;
  /** SubjectPublicKeyInfo (DER) of CAS, base64. */
  readonly casPublicKey: string;
  /** Creator of all sessions. */
  readonly owner: { readonly privateKey: string; readonly certificate: string };
}

const portOf = (address: string | undefined): number => Number(address?.split(':').at(-1));

export const clientPort = (server: Server): number => portOf(server.ready['client']);
export const servicePort = (server: Server): number => portOf(server.ready['service']);

/** Has a CAS create one session, and fills the state that it leaves with copies of it. */
export async function filledState(folder: string, name: string, sessions: number): Promise<FilledState> {
  const { privateKey, certificate } = await selfSigned('owner', new Date());
  const owner = { privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }), certificate };
  const first = await serveCas(folder, name, ['--creator', keyHashOfCertificate(certificate)]);
  let casPublicKey: string;
  try {
    const connection = await connectAs(owner, first);
    casPublicKey = Buffer.from(connection.publicKey).toString('base64');
    await postSession(connection, sessionText(sessionName(0), connection.identity));
    connection.close();
  } finally {
    await first.stop();
  }
  await runProgram('fill.ts', [join(folder, name), String(sessions)]);
  return { folder, name, sessions, casPublicKey, owner };
}

/** `ensconce cas serve` on that state, with room for some sessions more. */
export const serveFilled = ({ folder, name, owner, sessions }: FilledState): Promise<Server> =>
  serveCas(folder, name, [
    '--creator',
    keyHashOfCertificate(owner.certificate),
    '--max-sessions',
    String(sessions + 100),
  ]);

export function connectAs(identity: FilledState['owner'], server: Server): Promise<CasConnection> {
  return CasConnection.open({
    address: { host: '127.0.0.1', port: clientPort(server) },
    identity,
    pinned: server.ready['identity'],
    timeout: 10_000,
  });
}

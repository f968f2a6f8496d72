import { call } from '@ensconce/api/call';
import type { CasConnection } from '@ensconce/api/connection';
import { routes } from '@ensconce/api/routes';
import { fromHex } from '@ensconce/base/bytes';
import { publicKeyOf } from '@ensconce/identity/self-signed';
import { requestEvidence, type LasAddress } from '@ensconce/las-client/evidence';
import { reportData } from '@ensconce/wire/binding';
import { CliError } from '../errors.ts';

/** Proves to a CAS that asks for it what code this process runs, over this very connection. */
export async function proveClient(cas: CasConnection, certificate: string, las: LasAddress): Promise<void> {
  const { required, nonce } = await call(cas, routes.readClientChallenge, {});
  if (!required) return;
  const { format, evidence } = await requestEvidence(
    las,
    reportData({
      role: 'client-to-cas',
      publicKey: publicKeyOf(certificate),
      exporter: cas.exporter,
      nonce: fromHex(nonce, 32),
      configId: '',
      casIdentity: cas.publicKey,
    }),
  );
  if (format !== 'sgx') {
    throw new CliError('CLI_USAGE', `evidence about this command: format sgx expected, ${format} found`);
  }
  await call(cas, routes.attestClient, {
    body: { format, evidence: Buffer.from(evidence).toString('base64') },
  });
}

import { fromHex } from '@ensconce/base/bytes';
import { reportData } from '@ensconce/wire/binding';
import { evidenceFormat } from '@ensconce/wire/evidence-format';
import * as v from 'valibot';
import { call } from './call.ts';
import type { CasConnection } from './connection.ts';
import { ApiError } from './errors.ts';
import { routes } from './routes.ts';

/** Evidence about this process, with that report data. */
export type MakeEvidence = (reportData: Uint8Array) => Promise<{
  readonly format: string;
  readonly evidence: Uint8Array;
  /** The certificate table of the host, where there is one. */
  readonly certificates?: Uint8Array | undefined;
}>;

/**
 * Proves to a CAS that asks for it what code this process runs, over this very connection.
 *
 * @param publicKey SubjectPublicKeyInfo (DER) of the certificate that this side of the connection has.
 */
export async function proveClient(
  cas: CasConnection,
  publicKey: Uint8Array,
  makeEvidence: MakeEvidence,
): Promise<void> {
  const { required, nonce } = await call(cas, routes.readClientChallenge, {});
  if (!required) return;
  const { format, evidence, certificates } = await makeEvidence(
    reportData({
      role: 'client-to-cas',
      publicKey,
      exporter: cas.exporter,
      nonce: fromHex(nonce, 32),
      configId: '',
      casIdentity: cas.publicKey,
    }),
  );
  const known = v.safeParse(evidenceFormat, format);
  if (!known.success) {
    throw new ApiError(
      'API_EVIDENCE',
      `evidence about this process: format ${evidenceFormat.options.join(' or ')} expected, ${format} found`,
    );
  }
  await call(cas, routes.attestClient, {
    body: {
      format: known.output,
      evidence: Buffer.from(evidence).toString('base64'),
      ...(certificates === undefined ? {} : { certificates: Buffer.from(certificates).toString('base64') }),
    },
  });
}

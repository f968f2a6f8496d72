import { attestAuditKey } from '@ensconce/api/audit-client';
import { verifierKey } from '@ensconce/audit/endorsement';
import { nodeCrypto } from '@ensconce/crypto-node/provider';
import { auditKeyReportData, nonceSize } from '@ensconce/wire/binding';
import {
  addEvidenceOptions,
  tolerated,
  verifierFor,
  type EvidenceOptions,
} from '../attest/evidence-options.ts';
import { judgeCas } from '../attest/judge-cas.ts';
import { writeResult } from '../output/result.ts';
import { attestedCasOf, withUnwatchedCas } from '../state/attested-cas.ts';
import { watchLog } from '../state/seen-log.ts';
import type { Verb } from '../verb.ts';

interface Options extends EvidenceOptions {
  readonly cas?: string;
  readonly json?: true;
}

export const casAttestAuditLog: Verb = {
  name: 'cas attest-audit-log',
  summary: 'verify by evidence that an attested CAS holds the key that signs its audit log',
  examples: [
    'ensconce cas attest-audit-log',
    'ensconce cas attest-audit-log -c cas.example.org --collateral ./collateral --json',
  ],
  define(command, io) {
    addEvidenceOptions(command)
      .option('-c, --cas <address>', 'which CAS; by default the one attested last')
      .option('--json', 'write JSON')
      .action(async (options: Options) => {
        const { entry, name } = attestedCasOf(io, options.cas);
        const { verifier, watermarks } = await verifierFor(io, options);
        const { key, judged, size } = await withUnwatchedCas(io, options.cas, async (cas) => {
          const { key: auditKey, checkpoint } = await watchLog(io, cas);
          const nonce = io.random(nonceSize);
          const answer = await attestAuditKey(cas, nonce);
          return {
            key: auditKey,
            size: checkpoint.size,
            judged: await judgeCas({
              name,
              connection: cas,
              nonce,
              answer,
              verifier,
              watermarks,
              // What was attested before; another program at the same key is none that was agreed to.
              expectation: { sgx: [{ mrenclave: entry.mrenclave }], ...tolerated(options) },
              reportDataOf: (binding) => auditKeyReportData(auditKey.raw, binding),
              now: io.now(),
            }),
          };
        });
        const signingKey = Buffer.from(key.raw).toString('hex');
        const noteKey = await verifierKey(nodeCrypto, key);
        writeResult(
          io,
          options,
          { signingKey, noteKey, records: size, simulated: judged.simulated, mrenclave: judged.mrenclave },
          () =>
            [
              `CAS ${name} holds the key of its audit log${judged.simulated ? ', by SIMULATED hardware' : ''}`,
              `signing key: ${signingKey}`,
              `note key:    ${noteKey}`,
              `mrenclave:   ${judged.mrenclave}`,
              `records:     ${size}`,
            ].join('\n'),
        );
      });
  },
};

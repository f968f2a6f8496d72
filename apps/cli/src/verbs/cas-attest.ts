import { InvalidArgumentError, Option } from 'commander';
import { formatAddress, parseAddress } from '@ensconce/api/address';
import { attest, version } from '@ensconce/api/client';
import { CasConnection } from '@ensconce/api/connection';
import type { SgxIdentity } from '@ensconce/verify/sgx/policy';
import { nonceSize } from '@ensconce/wire/binding';
import {
  addEvidenceOptions,
  tolerated,
  verifierFor,
  type EvidenceOptions,
} from '../attest/evidence-options.ts';
import { judgeCas, type CasExpectation } from '../attest/judge-cas.ts';
import { writeResult } from '../output/result.ts';
import { loadState, saveState, type AttestedCas } from '../state/cli-state.ts';
import { watchLog } from '../state/seen-log.ts';
import type { Verb } from '../verb.ts';

interface Options extends EvidenceOptions {
  readonly mrenclave: readonly string[];
  readonly mrsigner?: string;
  readonly isvprodid?: number;
  readonly isvsvn?: number;
  readonly identity?: string;
  readonly replaceIdentity?: true;
  readonly json?: true;
}

const measurement = (text: string): string => {
  if (!/^[0-9a-fA-F]{64}$/.test(text)) throw new InvalidArgumentError('64 hexadecimal digits expected.');
  return text.toLowerCase();
};

const number = (text: string): number => {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65_535)
    throw new InvalidArgumentError('0 to 65535 expected.');
  return Number(text);
};

const timeout = 30_000;

export const casAttest: Verb = {
  name: 'cas attest',
  summary: 'verify what code a CAS runs, on what hardware, and remember its identity',
  examples: [
    'ensconce cas attest cas.example.org:8081 --mrenclave HEX',
    'ensconce cas attest cas.example.org --mrsigner HEX --isvprodid 1 --isvsvn 3',
    'ensconce cas attest 127.0.0.1:8081 --mrenclave HEX --insecure-accept-simulation ./simulated-vendor',
  ],
  define(command, io) {
    addEvidenceOptions(command)
      .argument('<address>', 'host[:port] of the client port')
      .addOption(
        new Option('--mrenclave <hex>', 'expected measurement; may be repeated')
          .argParser((text: string, before: readonly string[]) => [...before, measurement(text)])
          .default([], 'none'),
      )
      .option('--mrsigner <hex>', 'expected signer', measurement)
      .option('--isvprodid <number>', 'expected product of the signer', number)
      .option('--isvsvn <number>', 'least security version of the product', number)
      .option(
        '--identity <hex>',
        'expected SHA-256 of the public key of CAS, as images are made for',
        measurement,
      )
      .option('--replace-identity', 'another CAS may take the place of the one attested here before')
      .option('--json', 'write JSON')
      .action(async (text: string, options: Options) => {
        const expectation = expectationOf(options);
        const address = parseAddress(text);
        const name = formatAddress(address);
        const { verifier, watermarks } = await verifierFor(io, options);
        // The same code with another key is another CAS: it has neither the sessions nor the secrets of the first.
        const known = options.replaceIdentity === true ? undefined : loadState(io).cas[name]?.identity;
        const pinned = options.identity ?? known;
        const cas = await CasConnection.open({ address, pinned, timeout, signal: io.signal });
        let entry: AttestedCas;
        let records: number;
        let witnessed: boolean;
        try {
          const nonce = io.random(nonceSize);
          const answer = await attest(cas, nonce);
          entry = await judgeCas({
            name,
            connection: cas,
            nonce,
            answer,
            verifier,
            watermarks,
            expectation,
            now: io.now(),
          });
          records = (await watchLog(io, cas)).checkpoint.size;
          ({ witnessed } = await version(cas));
        } finally {
          cas.close();
        }
        const state = loadState(io);
        saveState(io, { ...state, defaultCas: name, cas: { ...state.cas, [name]: entry } });
        if (entry.simulated) io.stderr('warning: SIMULATED hardware, which protects nothing\n');
        writeResult(io, options, { address: name, ...entry, records, witnessed }, () =>
          [
            `CAS ${name} is attested${entry.simulated ? ' by SIMULATED hardware' : ''}`,
            `identity:   ${entry.identity}`,
            `mrenclave:  ${entry.mrenclave}`,
            `mrsigner:   ${entry.mrsigner}`,
            `TCB status: ${entry.tcbStatus ?? 'none given'}`,
            `audit log:  ${records} records; this command notices if they are ever gone`,
            `roll-back:  ${witnessed ? 'a witness keeps what CAS has signed' : 'not noticed by CAS itself: it has no witness of its state'}`,
          ].join('\n'),
        );
      });

    /** What is accepted; without a measurement or a signer nothing is, since the first use is when an attacker waits. */
    function expectationOf(options: Options): CasExpectation {
      const sgx: SgxIdentity[] = options.mrenclave.map((mrenclave) => ({ mrenclave }));
      if (options.mrsigner !== undefined) {
        const { isvprodid, isvsvn } = options;
        if (isvprodid === undefined || isvsvn === undefined) {
          return command.error('error: --isvprodid and --isvsvn expected beside --mrsigner');
        }
        sgx.push({
          mrsigner: options.mrsigner,
          isvprodid: { minimum: isvprodid, maximum: isvprodid },
          isvsvn: { minimum: isvsvn, maximum: 65_535 },
        });
      }
      if (sgx.length === 0) {
        return command.error(
          'error: --mrenclave or --mrsigner expected: a CAS is not trusted because it was there first',
        );
      }
      return { sgx, ...tolerated(options) };
    }
  },
};

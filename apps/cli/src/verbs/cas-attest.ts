import { InvalidArgumentError, Option } from 'commander';
import { evidenceVerifier } from '@ensconce/cas/verifier';
import { formatAddress, parseAddress } from '@ensconce/api/address';
import { attest } from '@ensconce/api/client';
import { CasConnection } from '@ensconce/api/connection';
import { openSimulatedVendor } from '@ensconce/simulation/vendor';
import type { Toleration } from '@ensconce/verify/policy';
import type { SgxIdentity } from '@ensconce/verify/sgx/policy';
import { causeChain } from '@ensconce/base/errors';
import { watermarkFile } from '@ensconce/evidence-report/command';
import { collateralCache } from '../state/collateral-cache.ts';
import { collateralSource } from '../state/collateral-source.ts';
import { nonceSize } from '@ensconce/wire/binding';
import { judgeCas, type CasExpectation } from '../attest/judge-cas.ts';
import { writeResult } from '../output/result.ts';
import { loadState, saveState, type AttestedCas } from '../state/cli-state.ts';
import type { Verb } from '../verb.ts';

interface Options {
  readonly mrenclave: readonly string[];
  readonly mrsigner?: string;
  readonly isvprodid?: number;
  readonly isvsvn?: number;
  readonly acceptConfigurationNeeded?: true;
  readonly acceptGroupOutOfDate?: true;
  readonly acceptSwHardeningNeeded?: true;
  readonly ignoreAdvisory?: readonly string[];
  readonly onlyForTestingDebug?: true;
  readonly pccs?: string;
  readonly collateral?: readonly string[];
  readonly insecureAcceptSimulation?: string;
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
    command
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
      .option(
        '-C, --accept-configuration-needed',
        'accept a platform whose configuration is not as recommended',
      )
      .option('-G, --accept-group-out-of-date', 'accept a platform with old firmware or microcode')
      .option('-S, --accept-sw-hardening-needed', 'accept a platform that needs hardening in software')
      .option('--ignore-advisory <id...>', 'advisories that may apply to the platform')
      .option('--only-for-testing-debug', 'accept a debug enclave: the host can read its memory')
      .option('--pccs <url>', "a PCCS to fetch collateral from; by default Intel's own service")
      .option('--collateral <path...>', 'files and folders with collateral; with them nothing is fetched')
      .option(
        '--insecure-accept-simulation <dir>',
        'believe the SIMULATED vendor kept in this folder: it protects nothing',
      )
      .option('--json', 'write JSON')
      .action(async (text: string, options: Options) => {
        const expectation = expectationOf(options);
        const address = parseAddress(text);
        const name = formatAddress(address);
        const folder = options.insecureAcceptSimulation;
        const vendor = folder === undefined ? undefined : await openSimulatedVendor({ folder, now: io.now });
        const cache = collateralCache(io);
        const verifier = evidenceVerifier({
          collateral: collateralSource(io, cache, options),
          insecureSimulatedVendor: vendor,
          onFailure: (_platform, error) =>
            io.stderr(`warning: collateral could not be had: ${causeChain(error).join(': ')}\n`),
        });
        // The same code with another key is another CAS: it has neither the sessions nor the secrets of the first.
        const known = options.replaceIdentity === true ? undefined : loadState(io).cas[name]?.identity;
        const pinned = options.identity ?? known;
        const cas = await CasConnection.open({ address, pinned, timeout, signal: io.signal });
        let entry: AttestedCas;
        try {
          const nonce = io.random(nonceSize);
          const answer = await attest(cas, nonce);
          entry = await judgeCas({
            name,
            connection: cas,
            nonce,
            answer,
            verifier,
            watermarks: watermarkFile(cache),
            expectation,
            now: io.now(),
          });
        } finally {
          cas.close();
        }
        const state = loadState(io);
        saveState(io, { ...state, defaultCas: name, cas: { ...state.cas, [name]: entry } });
        if (entry.simulated) io.stderr('warning: SIMULATED hardware, which protects nothing\n');
        writeResult(io, options, { address: name, ...entry }, () =>
          [
            `CAS ${name} is attested${entry.simulated ? ' by SIMULATED hardware' : ''}`,
            `identity:   ${entry.identity}`,
            `mrenclave:  ${entry.mrenclave}`,
            `mrsigner:   ${entry.mrsigner}`,
            `TCB status: ${entry.tcbStatus ?? 'none given'}`,
            'roll-back:  not detected: this CAS has no witness of its state',
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
      const tolerate: Toleration[] = [
        ...(options.acceptConfigurationNeeded ? (['insecure-configuration'] as const) : []),
        ...(options.acceptGroupOutOfDate ? (['outdated-tcb'] as const) : []),
        ...(options.acceptSwHardeningNeeded ? (['software-hardening-needed'] as const) : []),
        ...(options.onlyForTestingDebug ? (['debug-mode'] as const) : []),
      ];
      return { sgx, tolerate, ignoreAdvisories: options.ignoreAdvisory ?? [] };
    }
  },
};

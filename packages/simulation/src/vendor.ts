import { CollateralCache } from '@ensconce/collateral/cache';
import { MemoryStore } from '@ensconce/collateral/disk';
import { pccsSource } from '@ensconce/collateral/intel';
import { cachedSource, type CollateralSource } from '@ensconce/collateral/source';
import { utf8 } from '@ensconce/base/bytes';
import { pemEncode } from '@ensconce/x509/pem';
import type { IntelCollateral } from '@ensconce/verify/intel/collateral';
import { SimulationError } from './errors.ts';
import { intelKind, keepState, readState } from './state.ts';
import {
  loadIntelAuthority,
  makeIntelAuthority,
  storeIntelAuthority,
  type IntelAuthority,
} from './intel/authority.ts';
import { issueIntelCollateral } from './intel/collateral.ts';
import { loadPlatform, makePlatform, storePlatform, type SimulatedPlatform } from './intel/platform.ts';
import { makeSgxQuote, type SgxQuoteRequest } from './sgx/quote.ts';
import { makeTdxQuote, type TdxQuoteRequest } from './tdx/quote.ts';
import { handlerTransport } from './servers/transport.ts';
import { pcsHandler, type Evaluations, type PcsContent, type SignedText } from './servers/pcs.ts';
import { signRaw } from './key.ts';
import {
  enclaveIdentityStatement,
  evaluationNumbersStatement,
  type EvaluationSpec,
  type StatementDates,
  type TcbSpec,
} from './intel/statement.ts';

/** How long the simulated vendor's statements hold. Intel's hold for 30 days. */
const validity = 30 * 86_400_000;
const day = 86_400_000;

/** The evaluations of the simulated vendor: all platforms meet both. */
const evaluations: Evaluations = { early: 2, standard: 1, withdrawn: [0] };
const served: readonly number[] = [evaluations.early, evaluations.standard];

const datesFrom = (now: Date): StatementDates => ({
  issued: new Date(now.getTime() - 60_000),
  next: new Date(now.getTime() + validity),
});

/** The platform as it is, up to date: one level for everything. */
export function upToDateTcb(platform: SimulatedPlatform, tee: 'sgx' | 'tdx', now: Date): TcbSpec {
  const { spec } = platform;
  const date = `${new Date(now.getTime() - 30 * day).toISOString().slice(0, 10)}T00:00:00Z`;
  return {
    id: tee === 'sgx' ? 'SGX' : 'TDX',
    fmspc: spec.fmspc,
    pceId: spec.pceId,
    evaluationDataNumber: evaluations.standard,
    levels: [
      {
        components: spec.components,
        tdxComponents: spec.teeTcbSvn,
        pceSvn: spec.pceSvn,
        status: 'UpToDate',
        date,
      },
    ],
    modules: [
      {
        version: spec.teeTcbSvn[1] ?? 0,
        levels: [{ isvSvn: spec.teeTcbSvn[0] ?? 0, status: 'UpToDate', date }],
      },
    ],
    qeLevels: [{ isvSvn: spec.qeIsvSvn, status: 'UpToDate', date }],
  };
}

/**
 * A hardware vendor in software, with one platform. Everything about it is genuine in format and worthless as protection: whoever holds its
 * folder can make any evidence. Its names say SIMULATED, and verifiers believe it only through an option that says insecure.
 */
export class SimulatedVendor {
  readonly #authority: IntelAuthority;
  readonly #platform: SimulatedPlatform;
  readonly #now: () => Date;
  #source: CollateralSource | undefined;
  #current:
    | {
        readonly collateral: Map<string, Promise<IntelCollateral>>;
        readonly issued: Date;
        readonly renewAt: number;
      }
    | undefined;

  constructor(authority: IntelAuthority, platform: SimulatedPlatform, now: () => Date) {
    this.#authority = authority;
    this.#platform = platform;
    this.#now = now;
  }

  /** DER of the root, for options such as `insecureSimulatedRoots`. */
  get rootCertificate(): Uint8Array {
    return Uint8Array.from(this.#authority.root.certificate);
  }

  /** The root as PEM, to be handed to a verifier as a file. */
  get rootPem(): string {
    return pemEncode(this.#authority.root.certificate, 'CERTIFICATE');
  }

  /** The platform's FMSPC, lower-case hexadecimal. */
  get fmspc(): string {
    return this.#platform.spec.fmspc;
  }

  /** As claims name the platform. */
  get platformId(): string {
    return this.#platform.spec.platformInstanceId;
  }

  /** An SGX quote (version 3, PCK chain inside) for what the simulated hardware measured. */
  makeSgxQuote(request: SgxQuoteRequest): Uint8Array {
    return makeSgxQuote(this.#platform, request);
  }

  /** A TDX quote (version 4 or 5, PCK chain inside) for what the simulated hardware measured. */
  makeTdxQuote(request: TdxQuoteRequest): Uint8Array {
    return makeTdxQuote(this.#platform, request);
  }

  /** What the simulated Intel's servers publish, for `pcsHandler`. */
  pcsContent(): PcsContent {
    return {
      collateral: async ({ tee, fmspc, evaluationDataNumber = evaluations.standard }) =>
        (fmspc === undefined || fmspc === this.fmspc) && served.includes(evaluationDataNumber)
          ? this.collateral(tee, evaluationDataNumber)
          : undefined,
      evaluations,
      enclaveIdentity: (id, evaluationDataNumber) =>
        this.#signed(
          enclaveIdentityStatement(
            id,
            { ...upToDateTcb(this.#platform, 'sgx', this.#now()), evaluationDataNumber },
            this.#dates(),
          ),
        ),
      evaluationNumbers: (tee) =>
        this.#signed(
          evaluationNumbersStatement(tee === 'sgx' ? 'SGX' : 'TDX', this.#evaluations(), this.#dates()),
        ),
      pckChain: () => new TextDecoder().decode(this.#platform.chain).replaceAll('\0', ''),
      fmspcs: [this.fmspc],
    };
  }

  /** Collateral as from the simulated vendor's servers, through a cache of its own, without a network between. */
  get collateralSource(): CollateralSource {
    this.#source ??= cachedSource(
      new CollateralCache({
        store: new MemoryStore(),
        transport: handlerTransport(pcsHandler(this.pcsContent())),
        now: () => this.#now().getTime(),
      }),
      pccsSource('http://simulated.invalid'),
    );
    return this.#source;
  }

  /** Collateral for the platform, valid now; signed anew after half of its time. Another process has its own, just as valid. */
  async collateral(
    tee: 'sgx' | 'tdx' = 'sgx',
    evaluationDataNumber = evaluations.standard,
  ): Promise<IntelCollateral> {
    const now = this.#now();
    const time = now.getTime();
    if (
      this.#current === undefined ||
      time >= this.#current.renewAt ||
      time <= this.#current.renewAt - validity
    )
      this.#current = { collateral: new Map(), issued: now, renewAt: time + validity / 2 };
    const { collateral, issued } = this.#current;
    const key = `${tee} ${evaluationDataNumber}`;
    const found =
      collateral.get(key) ??
      issueIntelCollateral(this.#authority, {
        dates: datesFrom(issued),
        tcb: { ...upToDateTcb(this.#platform, tee, issued), evaluationDataNumber },
        ca: this.#platform.spec.ca,
        // One number for all that is issued together: a list with a lower number than one seen before is refused.
        crlNumber: Math.floor(issued.getTime() / 1000),
      });
    collateral.set(key, found);
    return found;
  }

  #dates(): StatementDates {
    return datesFrom(this.#now());
  }

  #signed(text: string): SignedText {
    const { tcbSigning, root } = this.#authority;
    return {
      text,
      signature: signRaw(tcbSigning.key, 'sha256', utf8(text)),
      chain: [tcbSigning, root].map((one) => pemEncode(one.certificate, 'CERTIFICATE')).join(''),
    };
  }

  #evaluations(): EvaluationSpec[] {
    const time = this.#now().getTime();
    return served.map((number, age) => ({
      number,
      eventDate: new Date(time - (age + 1) * 180 * day),
      tcbDate: new Date(time - (age + 1) * 180 * day),
    }));
  }
}

/**
 * Opens the simulated vendor kept in `folder`, or makes one there (folder 0700, file 0600). Several processes may open the same folder.
 */
export async function openSimulatedVendor(options: {
  readonly folder: string;
  readonly now: () => Date;
}): Promise<SimulatedVendor> {
  const { folder, now } = options;
  if (readState(folder, intelKind) === undefined) {
    const authority = await makeIntelAuthority(now());
    const platform = await makePlatform(authority, now());
    keepState(folder, intelKind, {
      format: 'ensconce-simulated-vendor/1',
      intel: storeIntelAuthority(authority),
      platform: {
        ...storePlatform(platform),
        spec: {
          ...platform.spec,
          components: [...platform.spec.components],
          teeTcbSvn: [...platform.spec.teeTcbSvn],
        },
      },
    });
  }
  const state = readState(folder, intelKind);
  if (state === undefined)
    throw new SimulationError('SIMULATION_STATE', `${folder}: a simulated vendor expected, none found`);
  const authority = loadIntelAuthority(state.intel);
  return new SimulatedVendor(authority, loadPlatform(authority, state.platform), now);
}

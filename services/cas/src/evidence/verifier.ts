import type { CollateralSource } from '@ensconce/collateral/source';
import { Watermarks, type WatermarkStore } from '@ensconce/collateral/watermarks';
import { nodeCrypto } from '@ensconce/crypto-node/provider';
import { VerificationCache } from '@ensconce/verify/cache';
import { requiredFor, type RequiredIntelCollateral } from '@ensconce/verify/intel/required';
import type { IntelCollateral } from '@ensconce/verify/intel/collateral';
import { verifySgxQuote } from '@ensconce/verify/sgx/verify';
import type { Verdict } from '@ensconce/verify/verdict';
import { Gate } from '../state/gate.ts';
import { within } from './within.ts';

export interface EvidenceToVerify {
  readonly format: 'sgx';
  /** Untrusted bytes. */
  readonly evidence: Uint8Array;
  /** The host's clock. */
  readonly now: Date;
  /** What was seen of collateral before; it is raised by a genuine verdict. */
  readonly watermarks: WatermarkStore;
}

/** Judges whether evidence is genuine; what is accepted of the genuine is for a policy to say. */
export interface EvidenceVerifier {
  /** True where simulated hardware passes as genuine, marked as simulated. */
  readonly insecureAcceptsSimulation: boolean;
  /** Throws `CollateralError` where the collateral is older than what was seen, `CasError` `CAS_BUSY` where too many look some up. */
  readonly verify: (evidence: EvidenceToVerify) => Promise<Verdict>;
}

/** The public side of a simulated vendor: `SimulatedVendor` of @ensconce/simulation has it. */
export interface InsecureSimulatedVendor {
  /** DER. */
  readonly rootCertificate: Uint8Array;
  /** The FMSPC of its platforms, lower-case hexadecimal: for these its source is asked, for others never. */
  readonly fmspc: string;
  readonly collateralSource: CollateralSource;
}

export interface VerifierOptions {
  /** Where collateral of real platforms comes from; without it none of their evidence can be judged. */
  readonly collateral?: CollateralSource | undefined;
  /** A vendor that protects nothing, to be believed like a real one. For development only. */
  readonly insecureSimulatedVendor?: InsecureSimulatedVendor | undefined;
  /** Milliseconds that one piece of evidence waits for its collateral; fetching goes on behind it. */
  readonly timeout?: number | undefined;
  /** Told why collateral could not be had: strangers are told only that it could not. */
  readonly onFailure?: ((required: RequiredIntelCollateral, error: unknown) => void) | undefined;
}

const defaultTimeout = 10_000;
/** Milliseconds for which collateral that a verdict rested on is not looked up again. */
const keptFor = 60_000;
const keptPlatforms = 256;

interface Kept {
  readonly collateral: IntelCollateral;
  readonly since: number;
}

/** A verifier with its own memory of what it verified. */
export function evidenceVerifier(options: VerifierOptions): EvidenceVerifier {
  const cache = new VerificationCache();
  const vendor = options.insecureSimulatedVendor;
  const roots = vendor === undefined ? [] : [vendor.rootCertificate];
  const lookUps = new Gate({ running: 16, waiting: 256 });
  const kept = new Map<string, Kept>();
  const books = new WeakMap<WatermarkStore, Watermarks>();

  const booksOf = (store: WatermarkStore): Watermarks => {
    const known = books.get(store) ?? new Watermarks(store, roots);
    books.set(store, known);
    return known;
  };

  /** Undefined where there is none to be had; the reason goes to the operator. */
  const lookUp = async (
    required: RequiredIntelCollateral,
    at: Date,
  ): Promise<IntelCollateral | undefined> => {
    const source = required.fmspc === vendor?.fmspc ? vendor.collateralSource : options.collateral;
    if (source === undefined) return undefined;
    return lookUps.run(async () => {
      try {
        return await within(options.timeout ?? defaultTimeout, source.intel(required, at));
      } catch (error) {
        options.onFailure?.(required, error);
        return undefined;
      }
    });
  };

  const keep = (key: string, entry: Kept): void => {
    kept.delete(key);
    kept.set(key, entry);
    const [oldest] = kept.keys();
    if (kept.size > keptPlatforms && oldest !== undefined) kept.delete(oldest);
  };

  return {
    insecureAcceptsSimulation: vendor !== undefined,
    async verify({ evidence, now, watermarks: store }) {
      const watermarks = booksOf(store);
      const at = watermarks.time(now);
      const judge = (collateral: IntelCollateral | undefined): Promise<Verdict> =>
        verifySgxQuote(evidence, collateral, {
          crypto: nodeCrypto,
          at,
          cache,
          insecureSimulatedRoots: roots,
        });
      const required = requiredFor(evidence, 'sgx');
      if (required === undefined) return judge(undefined);
      const key = `${required.tee} ${required.fmspc} ${required.ca}`;
      let entry = kept.get(key);
      if (entry === undefined || Math.abs(now.getTime() - entry.since) > keptFor) {
        kept.delete(key);
        // What is false already makes nobody ask a vendor's server: else strangers could make CAS send requests.
        const alone = await judge(undefined);
        if (alone.outcome === 'not-genuine') return alone;
        const collateral = await lookUp(required, at);
        if (collateral === undefined) return alone;
        entry = { collateral, since: now.getTime() };
      }
      const verdict = await judge(entry.collateral);
      await watermarks.settle(verdict, entry.collateral);
      if (verdict.outcome === 'genuine') keep(key, entry);
      else kept.delete(key);
      return verdict;
    },
  };
}

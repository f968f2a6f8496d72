import type { CollateralSource } from '@ensconce/collateral/source';
import { Watermarks, type WatermarkStore } from '@ensconce/collateral/watermarks';
import { nodeCrypto } from '@ensconce/crypto-node/provider';
import { VerificationCache } from '@ensconce/verify/cache';
import type { IntelCollateral } from '@ensconce/verify/intel/collateral';
import { verifySgxQuote } from '@ensconce/verify/sgx/verify';
import { verifySnpReport } from '@ensconce/verify/snp/verify';
import { verifyTdxQuote } from '@ensconce/verify/tdx/verify';
import type { AmdCollateral } from '@ensconce/verify/snp/collateral';
import type { EvidenceFormat } from '@ensconce/wire/evidence-format';
import type { Verdict } from '@ensconce/verify/verdict';
import { requiredForReport, tableCertificates, withCertificates } from './amd.ts';
import { RequiredCollateral } from './required-collateral.ts';
import { Gate } from '../state/gate.ts';
import { within } from './within.ts';

export interface EvidenceToVerify {
  readonly format: EvidenceFormat;
  /** Untrusted bytes. */
  readonly evidence: Uint8Array;
  /** The certificate table beside an SEV-SNP report, untrusted too. */
  readonly certificates?: Uint8Array | undefined;
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
  /** DER of the simulated AMD's ARK, where there is one. */
  readonly amdRootCertificate?: Uint8Array | undefined;
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
  readonly onFailure?: ((platform: string, error: unknown) => void) | undefined;
  /** Told of every look-up, and how many milliseconds it took. */
  readonly onLookUp?: ((outcome: 'found' | 'failed', milliseconds: number) => void) | undefined;
}

const defaultTimeout = 10_000;
/** Milliseconds for which collateral that a verdict rested on is not looked up again. */
const keptFor = 60_000;
const keptPlatforms = 256;

const quoteVerifiers = { sgx: verifySgxQuote, tdx: verifyTdxQuote } as const;

interface Kept {
  readonly collateral: IntelCollateral;
  readonly since: number;
}

/** A verifier with its own memory of what it verified. */
export function evidenceVerifier(options: VerifierOptions): EvidenceVerifier {
  const cache = new VerificationCache();
  const requirements = new RequiredCollateral();
  const vendor = options.insecureSimulatedVendor;
  const roots = [vendor?.rootCertificate, vendor?.amdRootCertificate].filter((root) => root !== undefined);
  const lookUps = new Gate({ running: 16, waiting: 256 });
  const kept = new Map<string, Kept>();
  const books = new WeakMap<WatermarkStore, Watermarks>();

  const booksOf = (store: WatermarkStore): Watermarks => {
    const known = books.get(store) ?? new Watermarks(store, roots);
    books.set(store, known);
    return known;
  };

  /** Undefined where there is none to be had; the reason goes to the operator. */
  const lookUp = <Found>(
    platform: string,
    ask: () => Promise<Found | undefined>,
  ): Promise<Found | undefined> =>
    lookUps.run(async () => {
      const began = performance.now();
      try {
        const found = await within(options.timeout ?? defaultTimeout, ask());
        options.onLookUp?.(found === undefined ? 'failed' : 'found', performance.now() - began);
        return found;
      } catch (error) {
        options.onLookUp?.('failed', performance.now() - began);
        options.onFailure?.(platform, error);
        return undefined;
      }
    });

  const keep = (key: string, entry: Kept): void => {
    kept.delete(key);
    kept.set(key, entry);
    const [oldest] = kept.keys();
    if (kept.size > keptPlatforms && oldest !== undefined) kept.delete(oldest);
  };

  const verifyIntel = async (
    asked: EvidenceToVerify & { readonly format: 'sgx' | 'tdx' },
  ): Promise<Verdict> => {
    const { format, evidence, now } = asked;
    const watermarks = booksOf(asked.watermarks);
    const at = watermarks.time(now);
    const judge = (collateral: IntelCollateral | undefined): Promise<Verdict> =>
      quoteVerifiers[format](evidence, collateral, {
        crypto: nodeCrypto,
        at,
        cache,
        insecureSimulatedRoots: roots,
      });
    const required = requirements.of(evidence, format);
    if (required === undefined) return judge(undefined);
    const key = `${required.tee} ${required.fmspc} ${required.ca}`;
    let entry = kept.get(key);
    if (entry === undefined || Math.abs(now.getTime() - entry.since) > keptFor) {
      kept.delete(key);
      // What is false already makes nobody ask a vendor's server: else strangers could make CAS send requests.
      const alone = await judge(undefined);
      if (alone.outcome === 'not-genuine') return alone;
      const source = required.fmspc === vendor?.fmspc ? vendor.collateralSource : options.collateral;
      const collateral =
        source === undefined ? undefined : await lookUp(key, () => source.intel(required, at));
      if (collateral === undefined) return alone;
      entry = { collateral, since: now.getTime() };
    }
    const verdict = await judge(entry.collateral);
    await watermarks.settle(verdict, entry.collateral);
    if (verdict.outcome === 'genuine') keep(key, entry);
    else kept.delete(key);
    return verdict;
  };

  const verifySnp = async (asked: EvidenceToVerify): Promise<Verdict> => {
    const { evidence } = asked;
    const watermarks = booksOf(asked.watermarks);
    const at = watermarks.time(asked.now);
    const judge = (collateral: AmdCollateral | undefined): Promise<Verdict> =>
      verifySnpReport(evidence, collateral, { crypto: nodeCrypto, at, cache, insecureSimulatedRoots: roots });
    const certificates = tableCertificates(asked.certificates);
    const alone = await judge({ certificates, revocationLists: [] });
    const required = requiredForReport(evidence);
    if (alone.outcome === 'not-genuine' || required === undefined) return alone;
    // A chip's certificate that came with the report need not be asked for: AMD gives out few at a time.
    const wanted = alone.outcome === 'genuine' ? { ...required, hwId: undefined } : required;
    const chip = `snp ${required.product} ${required.kind}`;
    const ask = (source: CollateralSource | undefined): Promise<AmdCollateral | undefined> =>
      source === undefined ? Promise.resolve(undefined) : lookUp(chip, () => source.amd(wanted, at));
    const simulated = vendor?.amdRootCertificate === undefined ? undefined : vendor.collateralSource;
    for (const source of [simulated, options.collateral]) {
      const found = await ask(source);
      if (found === undefined) continue;
      const verdict = await judge(withCertificates(found, certificates));
      if (verdict.outcome !== 'genuine') continue;
      await watermarks.settle(verdict, undefined);
      return verdict;
    }
    // Without the vendor's list nobody knows whether the chip's key still counts.
    return judge(undefined);
  };

  return {
    insecureAcceptsSimulation: vendor !== undefined,
    verify: (asked) =>
      asked.format === 'snp' ? verifySnp(asked) : verifyIntel({ ...asked, format: asked.format }),
  };
}

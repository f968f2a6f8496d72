import { parseSnpReport } from '@ensconce/evidence/snp/quote';
import { detectEvidence } from '@ensconce/evidence/detect';
import { hardwareEvidence } from '@ensconce/evidence/hardware';
import { fetchAmdCollateral, amdKds, kdsSpacing, requiredAmdCollateral } from '@ensconce/collateral/amd';
import { CollateralCache } from '@ensconce/collateral/cache';
import { DiskStore } from '@ensconce/collateral/disk';
import { exportBundle, importBundle } from '@ensconce/collateral/bundle';
import { fetchIntelCollateral, intelPcs, pccsSource, type IntelSource } from '@ensconce/collateral/intel';
import type { Transport } from '@ensconce/collateral/transport';
import type { SnpProduct } from '@ensconce/evidence/snp/tcb';
import type { RequiredIntelCollateral } from '@ensconce/verify/intel/required';
import { requiredFor } from '@ensconce/verify/intel/required';
import { encodeIntelBundle } from '@ensconce/verify/intel/collateral';
import { pemEncode } from '@ensconce/x509/pem';
import { openWatermarks } from './command.ts';
import { readBytes, writeText, readEvidence } from './files.ts';
import { EvidenceReportError } from './errors.ts';
import type { CommandResult } from './exit-code.ts';

/** Where collateral comes from and is kept. */
export interface CollateralOptions {
  /** Folder of the cache. */
  readonly cache: string;
  /** Address of a PCCS; Intel itself without it. */
  readonly pccs?: string | undefined;
  /** Address of a key server; AMD's without it. */
  readonly kds?: string | undefined;
  readonly transport: Transport;
  readonly now: () => number;
}

export interface FetchOptions extends CollateralOptions {
  /** Evidence whose collateral is wanted; or the platform is named. */
  readonly file?: string | undefined;
  readonly fmspc?: string | undefined;
  readonly tee?: 'sgx' | 'tdx' | undefined;
  readonly ca?: 'platform' | 'processor' | undefined;
  /** Which evaluation of the TCBs; Intel gives the standard one without it. */
  readonly update?: 'standard' | 'early' | undefined;
  /** SEV-SNP reports of version 2 do not name their product. */
  readonly product?: SnpProduct | undefined;
  /** Writes a bundle or certificates for `evidence verify --collateral` here. */
  readonly output?: string | undefined;
}

const ok = (stdout: string): CommandResult => ({ exitCode: 0, stdout, stderr: '' });

function openCache(options: CollateralOptions): CollateralCache {
  return new CollateralCache({
    store: new DiskStore(options.cache),
    transport: options.transport,
    now: options.now,
    spacing: (url) => (options.kds === undefined && url.startsWith(amdKds) ? kdsSpacing : 0),
  });
}

function platformOf(options: FetchOptions, evidence: Uint8Array | undefined): RequiredIntelCollateral {
  const format = evidence === undefined ? undefined : detectEvidence(evidence);
  const found =
    evidence !== undefined && (format === 'sgx' || format === 'tdx')
      ? requiredFor(evidence, format)
      : undefined;
  if (found !== undefined) return found;
  if (options.fmspc === undefined || !/^[0-9a-fA-F]{12}$/.test(options.fmspc)) {
    throw new EvidenceReportError(
      'EVIDENCE_FILE',
      'a quote with its PCK certificate, or --fmspc with 12 hexadecimal digits expected, neither found',
    );
  }
  return { tee: options.tee ?? 'sgx', fmspc: options.fmspc.toLowerCase(), ca: options.ca ?? 'platform' };
}

async function fetchAmd(
  cache: CollateralCache,
  evidence: Uint8Array,
  options: FetchOptions,
): Promise<CommandResult> {
  const required = requiredAmdCollateral(parseSnpReport(evidence, 'ignore'), options.product);
  if (required === undefined) {
    throw new EvidenceReportError(
      'EVIDENCE_FILE',
      'a signed report that names its product expected, another found',
      {
        hint: 'name the product: --product Milan, Genoa or Turin',
      },
    );
  }
  const collateral = await fetchAmdCollateral(cache, options.kds ?? amdKds, required);
  const text = [
    ...collateral.certificates.map((der) => pemEncode(der, 'CERTIFICATE')),
    ...collateral.revocationLists.map((der) => pemEncode(der, 'X509 CRL')),
  ].join('');
  if (options.output !== undefined) writeText(options.output, text);
  return ok(`${required.product}: ${collateral.certificates.length} certificates, 1 revocation list\n`);
}

/** `ensconce evidence collateral fetch`: brings everything for a platform into the cache. */
export async function runFetch(options: FetchOptions): Promise<CommandResult> {
  const cache = openCache(options);
  const evidence = options.file === undefined ? undefined : hardwareEvidence(readEvidence(options.file));
  if (evidence !== undefined && detectEvidence(evidence) === 'snp') return fetchAmd(cache, evidence, options);
  const required = platformOf(options, evidence);
  const source: IntelSource = {
    ...(options.pccs === undefined ? intelPcs : pccsSource(options.pccs)),
    update: options.update,
  };
  const collateral = await fetchIntelCollateral(cache, source, required);
  openWatermarks(options.cache).check(collateral);
  if (options.output !== undefined) writeText(options.output, encodeIntelBundle(collateral));
  return ok(
    `${required.tee} ${required.fmspc} (${required.ca} CA): TCB info, identity and revocation lists\n`,
  );
}

/** `ensconce evidence collateral export`: the whole cache as one file. */
export function runExport(options: { readonly cache: string; readonly output: string }): CommandResult {
  const store = new DiskStore(options.cache);
  writeText(options.output, exportBundle(store));
  return ok(`${store.all().length} entries\n`);
}

/** `ensconce evidence collateral import`: takes an exported file into the cache. */
export function runImport(options: { readonly cache: string; readonly file: string }): CommandResult {
  return ok(`${importBundle(new DiskStore(options.cache), readBytes(options.file))} entries are new\n`);
}

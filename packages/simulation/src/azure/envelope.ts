import { concatBytes, toHex, utf8 } from '@ensconce/base/bytes';
import { pemEncode } from '@ensconce/x509/pem';
import { encodeRuntimeData } from './body.ts';
import { bindingOf, encodeHclReport, type HclFaults, type HclHash } from './quote.ts';
import { generateRsaKey, type SimulatedKey } from '../key.ts';
import { makeSnpReport } from '../snp/quote.ts';
import { makeTdxQuote, type TdxQuoteRequest } from '../tdx/quote.ts';
import { signTpmQuote } from '../tpm/quote.ts';
import type { SimulatedChip } from '../amd/chip.ts';
import type { SimulatedPlatform } from '../intel/platform.ts';
import type { SnpReportFields } from '../snp/body.ts';
import type { TpmQuoteFields } from '../tpm/body.ts';

/** What is wrong with the evidence; every field breaks one thing that a verifier must notice. */
export interface AzureFaults extends HclFaults {
  /** The TPM quote is by a key that the hardware does not vouch for. */
  readonly otherTpmKey?: boolean;
  readonly wrongTpmSignature?: boolean;
  readonly otherPcrs?: readonly Uint8Array[];
  readonly withoutTpmQuote?: boolean;
  /** TDX: the quote was made of another TDREPORT. */
  readonly otherTdReport?: boolean;
  readonly withoutTdQuote?: boolean;
  readonly withoutVcek?: boolean;
}

export interface AzureRequest {
  /** The vTPM's attestation key, RSA. */
  readonly key: SimulatedKey;
  readonly tpm: TpmQuoteFields;
  readonly hash?: HclHash;
  /** How byte strings are written: as services do now, or as numbers under the older names. */
  readonly form?: 'text' | 'numbers';
}

const base64url = (bytes: Uint8Array): string => bytes.toBase64({ alphabet: 'base64url', omitPadding: true });
const numbers = (bytes: Uint8Array): number[] => [...bytes];

function tpmQuote({ key, tpm, form }: AzureRequest, faults: AzureFaults): object | undefined {
  if (faults.withoutTpmQuote === true) return undefined;
  const signer = faults.otherTpmKey === true ? generateRsaKey(2048) : key;
  const { message, raw } = signTpmQuote(signer, tpm, faults.wrongTpmSignature);
  const write = form === 'numbers' ? numbers : toHex;
  return {
    message: write(message),
    signature: write(raw),
    pcrs: (faults.otherPcrs ?? tpm.pcrs).map((pcr) => write(pcr)),
  };
}

function encode(request: AzureRequest, report: Uint8Array, faults: AzureFaults, rest: object): Uint8Array {
  const quote = tpmQuote(request, faults);
  return utf8(
    JSON.stringify(
      request.form === 'numbers'
        ? { quote, report: numbers(report), ...rest }
        : { version: '1', hcl_report: base64url(report), tpm_quote: quote, ...rest },
    ),
  );
}

/** What an Azure VM with SEV-SNP shows: HCL report, TPM quote and VCEK, as JSON. */
export function makeAzureSnpEvidence(
  chip: SimulatedChip,
  request: AzureRequest,
  fields: Omit<SnpReportFields, 'reportData'> = {},
  faults: AzureFaults = {},
): Uint8Array {
  const hash = request.hash ?? 'sha256';
  const runtimeData = encodeRuntimeData(request.key);
  const reportData = bindingOf(runtimeData, hash, faults);
  const report = encodeHclReport(
    'snp',
    makeSnpReport(chip, { ...fields, reportData }),
    runtimeData,
    hash,
    faults,
  );
  const { certificate } = chip.vek;
  const vcek = request.form === 'numbers' ? pemEncode(certificate, 'CERTIFICATE') : base64url(certificate);
  return encode(request, report, faults, faults.withoutVcek === true ? {} : { vcek });
}

/** A TDREPORT of 1024 bytes, of which only what binds the runtime data matters outside of its machine. */
function encodeTdReport(reportData: Uint8Array): Uint8Array {
  return concatBytes(
    Uint8Array.of(0x81, 0, 0, 0),
    new Uint8Array(124),
    reportData,
    new Uint8Array(1024 - 192),
  );
}

/** What an Azure VM with TDX shows: HCL report, TPM quote and the padded quote that Azure made of the TDREPORT, as JSON. */
export function makeAzureTdxEvidence(
  platform: SimulatedPlatform,
  request: AzureRequest,
  fields: Omit<TdxQuoteRequest, 'reportData'> = {},
  faults: AzureFaults = {},
): Uint8Array {
  const hash = request.hash ?? 'sha256';
  const runtimeData = encodeRuntimeData(request.key);
  const reportData = bindingOf(runtimeData, hash, faults);
  const report = encodeHclReport('tdx', encodeTdReport(reportData), runtimeData, hash, faults);
  const quoted = faults.otherTdReport === true ? reportData.toReversed() : reportData;
  const quote = makeTdxQuote(platform, { ...fields, reportData: quoted }, { padding: 70 });
  return encode(
    request,
    report,
    faults,
    faults.withoutTdQuote === true ? {} : { td_quote: base64url(quote) },
  );
}

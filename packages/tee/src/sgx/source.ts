import { join } from 'node:path';
import { parseSgxQuote } from '@ensconce/evidence/sgx/quote';
import { TeeError } from '../errors.ts';
import { interfaceError, readKernelFile, readKernelText, writeKernelFile } from '../kernel-file.ts';
import { checkEvidence } from '../report-data.ts';
import { checkReportData, type EvidenceSource } from '../source.ts';

/** Bytes; quotes with their PCK chain have about 5 KB. */
const quoteLimit = 65_536;

/** An enclave that Gramine runs (its manual, "Attestation and secret provisioning"). Its files belong to the process. */
export function sgxSource(root: string): EvidenceSource {
  const file = (name: string): string => join(root, '/dev/attestation', name);
  const using = <Result>(name: string, what: string, use: (path: string) => Result): Result => {
    const path = file(name);
    try {
      return use(path);
    } catch (cause) {
      throw interfaceError(path, what, cause);
    }
  };
  // All at once: callers of this process share the files, and none may come between another's write and read.
  const makeQuote = (reportData: Uint8Array): Uint8Array => {
    const type = using('attestation_type', 'the kind of attestation', readKernelText);
    if (type !== 'dcap')
      throw new TeeError(
        'TEE_PROVIDER',
        `Gramine: attestation type dcap expected, ${JSON.stringify(type.slice(0, 40))} found`,
        { hint: 'set sgx.remote_attestation = "dcap" in the manifest, and run with gramine-sgx' },
      );
    using('user_report_data', 'a file that takes report data', (path) => writeKernelFile(path, reportData));
    return using('quote', 'a quote', (path) => readKernelFile(path, quoteLimit));
  };
  return {
    tee: 'sgx',
    async makeEvidence(reportData) {
      checkReportData(reportData);
      const quote = makeQuote(reportData);
      checkEvidence('an SGX quote', () => parseSgxQuote(quote, 'ignore').report.reportData, reportData);
      return { format: 'sgx', bytes: quote };
    },
  };
}

import { parseSnpReport } from '@ensconce/evidence/snp/quote';
import { readTcb, type SnpTcb } from '@ensconce/evidence/snp/tcb';
import { tcbLayout, type FirmwareVersion } from '@ensconce/evidence/snp/body';

/** As virtee's `sev` wrote reports before its version 6, since then, and as others write its byte strings. */
export type FieldForm = 'old' | 'numbers' | 'hexadecimal';

/** A report as JSON with its fields; `certificates` become the chain beside it, by their kinds. */
export function reportFields(
  report: Uint8Array,
  form: FieldForm,
  certificates: Readonly<Record<string, Uint8Array>> = {},
): object {
  const { body } = parseSnpReport(report);
  const old = form === 'old';
  const bytes = (value: Uint8Array): string | number[] =>
    form === 'hexadecimal' ? value.toHex() : [...value];
  const layout = tcbLayout(body) ?? 'milan';
  const tcb = (value: Uint8Array): object => {
    const { fmc, bootloader, tee, snp, microcode }: SnpTcb = readTcb(value, layout);
    return old
      ? { bootloader, tee, _reserved: [0, 0, 0, 0], snp, microcode }
      : { fmc: fmc ?? null, bootloader, tee, snp, microcode };
  };
  const version = (name: string, value: FirmwareVersion): object =>
    old
      ? Object.fromEntries(Object.entries(value).map(([part, number]) => [`${name}_${part}`, number]))
      : { [name]: value };
  const flags = new DataView(report.buffer, report.byteOffset).getUint32(0x48, true);
  const { cpuid, mitigations } = body;
  return {
    attestation_report: {
      version: body.version,
      guest_svn: body.guestSvn,
      policy: Number(body.policy),
      family_id: bytes(body.familyId),
      image_id: bytes(body.imageId),
      vmpl: body.vmpl,
      sig_algo: 1,
      current_tcb: tcb(body.currentTcb),
      plat_info: Number(body.platformInfo),
      ...(old ? { _author_key_en: flags, _reserved_0: 0 } : { key_info: flags }),
      report_data: bytes(body.reportData),
      measurement: bytes(body.measurement),
      host_data: bytes(body.hostData),
      id_key_digest: bytes(body.idKeyDigest),
      author_key_digest: bytes(body.authorKeyDigest),
      report_id: bytes(body.reportId),
      report_id_ma: bytes(body.reportIdMa),
      reported_tcb: tcb(body.reportedTcb),
      ...(old
        ? { _reserved_1: Array.from({ length: 24 }, () => 0) }
        : {
            cpuid_fam_id: cpuid?.family ?? null,
            cpuid_mod_id: cpuid?.model ?? null,
            cpuid_step: cpuid?.stepping ?? null,
          }),
      chip_id: bytes(body.chipId),
      committed_tcb: tcb(body.committedTcb),
      ...version('current', body.currentVersion),
      ...version('committed', body.committedVersion),
      launch_tcb: tcb(body.launchTcb),
      launch_mit_vector: mitigations === undefined ? null : Number(mitigations.launch),
      current_mit_vector: mitigations === undefined ? null : Number(mitigations.current),
      signature: { r: bytes(report.subarray(0x2a0, 0x2e8)), s: bytes(report.subarray(0x2e8, 0x330)) },
    },
    cert_chain:
      Object.keys(certificates).length === 0
        ? null
        : Object.entries(certificates).map(([kind, data]) => ({ cert_type: kind, data: [...data] })),
  };
}

/** What the simulated hypervisor says of an enclave. */
export interface NitroFields {
  readonly moduleId?: string;
  readonly timestamp: Date;
  /** By index, 48 bytes each; PCR 0 to 15 that are left out are zero. In debug mode all of them are. */
  readonly pcrs?: Readonly<Record<number, Uint8Array>>;
  readonly debug?: boolean;
  readonly userData?: Uint8Array;
  readonly nonce?: Uint8Array;
  readonly publicKey?: Uint8Array;
}

export const defaultModuleId = 'i-0-enc0';
const registers = 16;

/** The payload of a document, before it is encoded (AWS, "Nitro Enclaves attestation process"). */
export function nitroPayload(
  fields: NitroFields,
  certificate: Uint8Array,
  cabundle: readonly Uint8Array[],
): Map<string, unknown> {
  const pcr = (index: number): Uint8Array =>
    (fields.debug === true ? undefined : fields.pcrs?.[index]) ?? new Uint8Array(48);
  return new Map<string, unknown>([
    ['module_id', fields.moduleId ?? defaultModuleId],
    ['digest', 'SHA384'],
    ['timestamp', fields.timestamp.getTime()],
    ['pcrs', new Map(Array.from({ length: registers }, (_, index) => [index, pcr(index)]))],
    ['certificate', certificate],
    ['cabundle', cabundle],
    ['public_key', fields.publicKey ?? null],
    ['user_data', fields.userData ?? null],
    ['nonce', fields.nonce ?? null],
  ]);
}

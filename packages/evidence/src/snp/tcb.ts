/** Security patch levels of a TCB_VERSION. `fmc` exists since Turin. */
export interface SnpTcb {
  readonly fmc: number | undefined;
  readonly bootloader: number;
  readonly tee: number;
  readonly snp: number;
  readonly microcode: number;
}

/** Where the parts stand in the eight bytes: Milan and Genoa (family 0x19) share one layout, Turin and later (0x1a) another. */
export type TcbLayout = 'milan' | 'turin';

const at = (bytes: Uint8Array, index: number): number => bytes[index] ?? 0;

export function readTcb(bytes: Uint8Array, layout: TcbLayout): SnpTcb {
  return layout === 'milan'
    ? {
        fmc: undefined,
        bootloader: at(bytes, 0),
        tee: at(bytes, 1),
        snp: at(bytes, 6),
        microcode: at(bytes, 7),
      }
    : {
        fmc: at(bytes, 0),
        bootloader: at(bytes, 1),
        tee: at(bytes, 2),
        snp: at(bytes, 3),
        microcode: at(bytes, 7),
      };
}

export type SnpProduct = 'Milan' | 'Genoa' | 'Turin' | 'Venice';

interface Models {
  readonly family: number;
  readonly from: number;
  readonly to: number;
  readonly product: SnpProduct;
}

/** Genoa, Bergamo and Siena share the Genoa certificates. */
const models: readonly Models[] = [
  { family: 0x19, from: 0x00, to: 0x0f, product: 'Milan' },
  { family: 0x19, from: 0x10, to: 0x1f, product: 'Genoa' },
  { family: 0x19, from: 0xa0, to: 0xaf, product: 'Genoa' },
  { family: 0x1a, from: 0x00, to: 0x11, product: 'Turin' },
  { family: 0x1a, from: 0x50, to: 0x57, product: 'Venice' },
  { family: 0x1a, from: 0x90, to: 0xaf, product: 'Venice' },
  { family: 0x1a, from: 0xc0, to: 0xc7, product: 'Venice' },
];

/** The product, as AMD's key server names it; undefined for models that are not known. */
export function productOf(family: number, model: number): SnpProduct | undefined {
  return models.find((row) => row.family === family && model >= row.from && model <= row.to)?.product;
}

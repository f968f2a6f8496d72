/** What a layer entry says of itself, whatever its kind. Times before 1970 have negative seconds and positive nanoseconds. */
export interface EntryAttributes {
  /** The 12 permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeSeconds: number;
  readonly mtimeNanoseconds: number;
  readonly xattrs: readonly ExtendedAttribute[];
}

export interface ExtendedAttribute {
  readonly name: Uint8Array;
  readonly value: Uint8Array;
}

/**
 * One entry of an OCI layer, from an untrusted archive. `path` is bytes as in the archive: `/`-separated, with or
 * without leading `/` or `./`. A whiteout (`.wh.name`, `.wh..wh..opq`) is an entry of any kind with such a name.
 */
export type LayerEntry = { readonly path: Uint8Array } & (
  | ({ readonly kind: 'directory' | 'fifo' | 'file' } & EntryAttributes)
  | ({ readonly kind: 'symlink'; readonly target: Uint8Array } & EntryAttributes)
  | ({
      readonly kind: 'character' | 'block';
      readonly major: number;
      readonly minor: number;
    } & EntryAttributes)
  /** Another name of the file at the path `target`, which must have come before. */
  | { readonly kind: 'hardlink'; readonly target: Uint8Array }
);

/** What the kernel under test does wrong, or otherwise. Everything is as it should be where nothing is said. */
export interface Faults {
  /** What `provider` says, in latin-1. */
  readonly provider?: string;
  /** No hardware registered with configfs-tsm: new entries fail with ENXIO. */
  readonly noProvider?: boolean;
  /** What `generation` says. */
  readonly generation?: string;
  /** Attributes that an entry does not have. */
  readonly missing?: readonly string[];
  /** Error numbers with which the next reads of `outblob` fail, one each. */
  readonly outblobErrors?: readonly number[];
  /** In this many reports, somebody else writes to the entry after us. */
  readonly foreignWrites?: number;
  readonly privilegeLevelFloor?: number;
  /** Another `outblob`: cut short, 200 MiB, as large as DICE evidence, or about other report data. */
  readonly outblob?: 'short' | 'huge' | 'dice' | 'other-data';
  readonly auxblob?: 'empty' | 'huge';
  readonly manifestblob?: string;
  /** Error number with which removing an entry fails. */
  readonly removal?: number;
  /** Measurement registers stay as they are; or somebody else extends them as well. */
  readonly registers?: 'stuck' | 'shared';
  readonly attestationType?: string;
}

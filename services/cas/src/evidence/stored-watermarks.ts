import * as v from 'valibot';
import {
  emptyBook,
  watermarkBook,
  type WatermarkBook,
  type WatermarkStore,
} from '@ensconce/collateral/watermarks';
import { CasError } from '../errors.ts';
import type { Serial } from '../state/serial.ts';
import type { Store } from '../store/store.ts';

const table = 'watermarks';

/** What was seen of collateral, in the database of CAS: as safe from roll-back as everything else there. */
export class StoredWatermarks implements WatermarkStore {
  readonly #store: Store;
  readonly #writes: Serial;
  #book: WatermarkBook;

  constructor(store: Store, writes: Serial) {
    this.#store = store;
    this.#writes = writes;
    const record = store.get(table, '');
    const parsed = v.safeParse(watermarkBook, record ?? emptyBook);
    if (!parsed.success) throw new CasError('CAS_STATE_CORRUPT', 'watermarks record: another form expected');
    this.#book = parsed.output;
  }

  read(): WatermarkBook {
    return this.#book;
  }

  update(change: (before: WatermarkBook) => WatermarkBook): Promise<void> {
    return this.#writes.run(async () => {
      const book = change(this.#book);
      this.#store.commit([{ table, name: '', value: book }], undefined);
      this.#book = book;
    });
  }
}

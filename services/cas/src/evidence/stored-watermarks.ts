import * as v from 'valibot';
import {
  emptyBook,
  watermarkBook,
  type WatermarkBook,
  type WatermarkStore,
} from '@ensconce/collateral/watermarks';
import { CasError } from '../errors.ts';
import type { Serial } from '../state/serial.ts';
import type { State } from '../state/state.ts';

const table = 'watermarks';

/** What was seen of collateral, in the database of CAS: as safe from roll-back as everything else there. */
export class StoredWatermarks implements WatermarkStore {
  readonly #state: Pick<State, 'store' | 'audit'>;
  readonly #writes: Serial;
  #book: WatermarkBook;

  constructor(state: Pick<State, 'store' | 'audit'>, writes: Serial) {
    this.#state = state;
    this.#writes = writes;
    const record = state.store.get(table, '');
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
      const { store, audit } = this.#state;
      store.commit([{ table, name: '', value: book }], await audit.announceCommit(store.sequence + 1));
      this.#book = book;
    });
  }
}

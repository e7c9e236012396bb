// What a translation loses, said out loud.

/** The losses of one rendering. */
export class Ledger {
  losses = [];

  /** The field has no place here and is left out. */
  dropped(field, note) {
    this.losses.push({ field, kind: 'dropped', note });
  }

  /** The value was moved to the nearest one allowed. */
  clamped(field, note) {
    this.losses.push({ field, kind: 'clamped', note });
  }

  /** The value is said in another way. */
  approximated(field, note) {
    this.losses.push({ field, kind: 'approximated', note });
  }

  /** Reports every extension of another format; one whose value is null is only a note of its family's. */
  foreign(place, extensions, format) {
    for (const extension of extensions) {
      if (extension.format !== format && extension.json !== 'null') {
        this.dropped(place + extension.key, `only ${extension.format} has it`);
      }
    }
  }

  /** The losses so far; the ledger is empty afterwards. */
  take() {
    const losses = this.losses;
    this.losses = [];
    return losses;
  }
}

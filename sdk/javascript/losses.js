// Records what a translation loses.

/** The losses of one rendering. */
export class Losses {
  losses = [];

  /** The target format has no place for the field, so it is left out. */
  dropped(field, note) {
    this.losses.push({ field, kind: 'dropped', note });
  }

  /** The value was moved to the nearest allowed one. */
  clamped(field, note) {
    this.losses.push({ field, kind: 'clamped', note });
  }

  /** The value is expressed in another way. */
  approximated(field, note) {
    this.losses.push({ field, kind: 'approximated', note });
  }

  /** Reports every extension of another format, except notes, whose value is null. */
  foreign(place, extensions, format) {
    for (const extension of extensions) {
      if (extension.format !== format && extension.json !== 'null') {
        this.dropped(place + extension.key, `only ${extension.format} has it`);
      }
    }
  }

  /** Returns the losses and empties the losses. */
  take() {
    const losses = this.losses;
    this.losses = [];
    return losses;
  }
}

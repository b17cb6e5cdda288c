// The time of day for relative times, once a second, and the choice between local time and UTC.
import type { Clock } from '../domain/time';

const KEY = 'clew.clock';

class Now {
  value = $state(Date.now());
  zone = $state<Clock>(localStorage.getItem(KEY) === 'utc' ? 'utc' : 'local');

  constructor() {
    setInterval(() => {
      if (!document.hidden) this.value = Date.now();
    }, 1000);
  }

  choose(zone: Clock): void {
    this.zone = zone;
    localStorage.setItem(KEY, zone);
  }
}

export const now = new Now();

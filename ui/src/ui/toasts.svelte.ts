// Short notes in the corner, read out politely.
export interface Toast {
  id: number;
  text: string;
  href?: string;
  action?: string;
}

const SHOWN_FOR = 8000;

class Toasts {
  list = $state.raw<Toast[]>([]);
  #next = 1;

  show(text: string, link?: { href: string; action: string }): void {
    const id = this.#next;
    this.#next += 1;
    this.list = [...this.list.slice(-2), { id, text, ...link }];
    setTimeout(() => this.dismiss(id), SHOWN_FOR);
  }

  dismiss(id: number): void {
    this.list = this.list.filter((toast) => toast.id !== id);
  }
}

export const toasts = new Toasts();

"""
From a job's event to its bar on the screen: objects that run at once, 160 events a second among them.

Aim: under 300 ms. Run it from anywhere: ``python benchmarks/screen_latency.py --objects 40``.
"""

from __future__ import annotations

import argparse
import time

from screen import emitting_page, quantile, run_cells

SECONDS, PER_SECOND = 15.0, 160
DRAWN = 100
"""Objects of one kind that the panel draws unasked: ``OPEN_AT_MOST`` of job_panel.js."""

WATCH = """(base) => {
    window.ages = [];
    const watch = new MutationObserver((changes) => {
        const elements = changes.map(({ target }) => target.closest ? target : target.parentElement);
        const cells = elements.map((element) => element && element.closest('.sfnb-text'));
        const texts = [...new Set(cells)].filter((cell) => cell).map((cell) => cell.textContent);
        requestAnimationFrame(() => {
            const now = Date.now() - base;
            for (const text of texts) {
                const rows = Number(text.split(' ')[0].replaceAll(',', ''));
                if (window.last === undefined) window.last = new Map();
                if (rows > 0 && !window.last.has(rows)) { window.last.set(rows, 1); window.ages.push(now - rows); }
            }
        });
    });
    watch.observe(document.body, {subtree: true, childList: true, characterData: true});
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, default=40)
    objects = parser.parse_args().objects
    base = int(time.time()) - 1
    with emitting_page(base=base, objects=objects, per_second=PER_SECOND, seconds=SECONDS) as page:
        run_cells(page)
        bars = page.locator(".sfnb-panel .sfnb-running li")
        bars.nth(min(objects, DRAWN) - 1).wait_for(timeout=60_000)
        if objects > DRAWN:  # the panel draws so many of a kind; a person asks for the others
            page.locator(".sfnb-panel .sfnb-running > button").click()
            bars.nth(objects - 1).wait_for(timeout=60_000)
        page.evaluate(WATCH, base * 1000)
        page.wait_for_timeout(SECONDS * 1000 + 1000)
        # The first second still has the cells' own output in it, and events from before we watched.
        ages = [float(age) for age in page.evaluate("window.ages")][PER_SECOND:]
    print(f"{objects} objects, {PER_SECOND} events a second, {len(ages)} values seen on the screen")
    for name, share in (("median", 0.5), ("95 %", 0.95), ("99 %", 0.99), ("longest", 1.0)):
        print(f"{name:>8}: {quantile(ages, share):6.0f} ms from event to bar")


if __name__ == "__main__":
    main()

"""
A storm of 10,000 events a second for ten seconds: does the page stay usable, and does it show the last value?

Run it from anywhere: ``python benchmarks/screen_burst.py``.
"""

from __future__ import annotations

import time

from screen import emitting_page, quantile, run_cells

SECONDS, OBJECTS, PER_SECOND = 10.0, 40, 10_000

WATCH = """() => {
    window.gaps = [];
    window.changes = 0;
    let before = performance.now();
    const frame = (now) => { window.gaps.push(now - before); before = now; requestAnimationFrame(frame); };
    requestAnimationFrame(frame);
    new MutationObserver(() => { window.changes += 1; }).observe(
        document.querySelector('.sfnb-panel'), {subtree: true, childList: true, characterData: true});
}"""


def main() -> None:
    base = int(time.time()) - 1
    clicks = []
    with emitting_page(base=base, objects=OBJECTS, per_second=PER_SECOND, seconds=SECONDS) as page:
        run_cells(page)
        page.locator(".sfnb-panel .sfnb-running li").nth(OBJECTS - 1).wait_for(timeout=60_000)
        page.evaluate(WATCH)
        summary = page.locator(".sfnb-panel details summary").last
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            began = time.monotonic()
            summary.click()
            clicks.append((time.monotonic() - began) * 1000)
            page.wait_for_timeout(300)
        ended = time.time()
        page.wait_for_timeout(1500)
        gaps = [float(gap) for gap in page.evaluate("window.gaps")][1:]
        changes = page.evaluate("window.changes")
        texts = page.locator(".sfnb-panel .sfnb-running .sfnb-text").all_inner_texts()
    newest = max(int(text.split(" ")[0].replace(",", "")) for text in texts) / 1000 + base
    print(
        f"{PER_SECOND:,} events a second for {SECONDS:.0f} s on {OBJECTS} objects: {changes} drawings"
    )
    print(
        f"frames: median {quantile(gaps, 0.5):.0f} ms, 99 % {quantile(gaps, 0.99):.0f} ms, longest {max(gaps):.0f} ms"
    )
    print(
        f"clicks: median {quantile(clicks, 0.5):.0f} ms, longest {max(clicks):.0f} ms to be carried out"
    )
    print(f"the last value shown was sent {ended - newest:+.1f} s before the storm's end")


if __name__ == "__main__":
    main()

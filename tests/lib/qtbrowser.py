#!/usr/bin/python3
"""Chromium's engine by way of Qt, where Chromium itself is no package of apt's (Ubuntu has it as a snap alone).

    qtbrowser.py --dump-dom URL                          the page once its script has run
    qtbrowser.py --screenshot=FILE --window-size=W,H URL  its picture, as PNG

The same words as Chromium's own, as far as the tests use them; others are handed to the engine. Run by the
system's Python, for which apt installs PyQt6.
"""
import os
import sys
from typing import Any, List, Optional

WORD_DUMP, WORD_PICTURE, WORD_SIZE = "--dump-dom", "--screenshot=", "--window-size="
SETTLE_MS = 200  # between "loaded" and "painted" there is no event to wait for
WITHIN_MS = 60 * 1000


def option(words: List[str], name: str) -> Optional[str]:
    """What is behind the word that begins with NAME."""
    return next((word[len(name):] for word in words if word.startswith(name)), None)


def main(words: List[str]) -> int:
    address, picture, size = words[-1], option(words, WORD_PICTURE), option(words, WORD_SIZE)
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    os.environ["QT_QUICK_BACKEND"] = "software"
    os.environ["QTWEBENGINE_CHROMIUM_FLAGS"] = " ".join(
        word for word in words[:-1] if not word.startswith((WORD_DUMP, WORD_PICTURE, WORD_SIZE, "--user-data-dir")))
    # Qt reads the environment when it is loaded.
    from PyQt6.QtCore import QTimer, QUrl  # pylint: disable=import-outside-toplevel
    from PyQt6.QtWebEngineCore import QWebEnginePage, QWebEngineProfile
    from PyQt6.QtWebEngineWidgets import QWebEngineView
    from PyQt6.QtWidgets import QApplication

    application = QApplication(words[:1])
    view = QWebEngineView()
    page = QWebEnginePage(QWebEngineProfile(view), view)  # of no name: nothing is kept
    view.setPage(page)
    width, height = (int(number) for number in (size or "800,600").split(","))
    view.resize(width, height)

    def end(text: Any) -> None:
        done = bool(text)
        if picture:
            done = view.grab().save(picture, "PNG")
        else:
            print(text)
        application.exit(0 if done else 1)

    def loaded(well: bool) -> None:
        if not well:
            application.exit(1)
        QTimer.singleShot(SETTLE_MS, lambda: page.runJavaScript("document.documentElement.outerHTML", end))

    page.loadFinished.connect(loaded)
    QTimer.singleShot(WITHIN_MS, lambda: application.exit(1))
    view.show()
    page.load(QUrl(address))
    code = application.exec()
    sys.stdout.flush()
    os._exit(code)  # the engine's own end may take its time, and there is nothing to lose


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

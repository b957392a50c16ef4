"""What tests look at in a figure: its words, its bytes as PNG, its edges."""

import io

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from gossan.report.drawing import save_figure


def texts(figure):
    return " | ".join(text.get_text() for text in figure.findobj(Text))


def png(figure):
    buffer = io.BytesIO()
    save_figure(figure, buffer)
    return buffer.getvalue()


def assert_text_fits(figure):
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    box = figure.get_tightbbox(canvas.get_renderer())
    margin = 0.15
    assert box.x0 > -margin
    assert box.y0 > -margin
    assert box.x1 < figure.get_figwidth() + margin
    assert box.y1 < figure.get_figheight() + margin

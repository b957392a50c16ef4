from pages import PNG, make_source, render

from gossan.report.mnf_section import FIGURE_TITLES, MnfScene, make_section


def test_the_page_has_eigenvalues_as_numbers(tmp_path):
    figures = {name: tmp_path / f"{name}.png" for name in FIGURE_TITLES}
    for path in figures.values():
        path.write_bytes(PNG)
    rows = [{"component": "1", "eigenvalue": "1234.5", "cumulative_share": "0.875"}]
    scene = MnfScene(id="tiny", sensor="emit", cube={}, figures=figures, eigenvalues=rows)
    html = render([make_section(scene, make_source("mnf", "emit"))])
    cells = ("1", "1.23e+03", "87.5%")
    assert "".join(f'<td class="n">{cell}</td>' for cell in cells) in html
    assert 'id="tiny-emit-mnf-endmembers"' in html

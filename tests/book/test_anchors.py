from docutils import nodes
from metabook.anchors import number_sections


def section(name: str, *children: nodes.Node) -> nodes.section:
    return nodes.section("", *children, ids=[name])


def test_anchors_count_sections_and_leave_the_first_id():
    tree = nodes.Element(
        "", section("a", section("b"), nodes.paragraph(), section("c", section("d")))
    )
    number_sections(None, tree)
    assert [node["ids"] for node in tree.findall(nodes.section)] == [
        ["a", "s-1"],
        ["b", "s-1-1"],
        ["c", "s-1-2"],
        ["d", "s-1-2-1"],
    ]

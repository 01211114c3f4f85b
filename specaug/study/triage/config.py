"""What Label Studio shows of a task, and what it asks: the same for every export.

Nothing from the data stands in it; the data fill `$names`, which Label Studio shows as text.
"""

# The names of the controls, under which the answers come back. In a JSON_MIN export they stand beside the data of
# the task, as do Label Studio's own names (id, annotator, ...): no field of a task may have one of these names.
MARK, CORRECTED, CAUSE = "mark", "corrected", "cause"
SUB, DEL, INS = "sub", "del", "ins"  # kinds of regions; an annotator has one more
BAD_REFERENCE, WRONG_REFERENCE = "bad-reference", "wrong reference"
COLOURS = {SUB: "#e69f00", DEL: "#d55e00", INS: "#0072b2", BAD_REFERENCE: "#cc79a7"}  # Okabe and Ito's
CAUSES = (
    "noise",
    "accent",
    "speaking rate",
    "truncated audio",
    WRONG_REFERENCE,
    "unclear",
    "model error",
    "other",
)
TEMPLATE = """<View>
  <Header size="5" value="$facts"/>
  <Audio name="audio" value="$audio" spectrogram="true" zoom="true"/>
  <Labels name="{mark}" toName="audio">
{labels}
  </Labels>
  <Header size="5" value="Reference"/>
  <Text name="said" value="$reference"/>
  <Header size="5" value="Hypotheses"/>
  <Text name="written" value="$hypotheses"/>
  <Header size="5" value="Correct the reference, where it is wrong"/>
  <TextArea name="{corrected}" toName="audio" value="$reference" editable="true" maxSubmissions="1" rows="2"/>
  <Header size="5" value="Why was it misrecognised?"/>
  <Choices name="{cause}" toName="audio" choice="multiple" showInline="true">
{causes}
  </Choices>
</View>
"""


def config() -> str:
    """The labelling configuration, as XML."""
    labels = [f'    <Label value="{kind}" background="{colour}"/>' for kind, colour in COLOURS.items()]
    causes = [f'    <Choice value="{cause}"/>' for cause in CAUSES]
    return TEMPLATE.format(
        mark=MARK, corrected=CORRECTED, cause=CAUSE, labels="\n".join(labels), causes="\n".join(causes)
    )

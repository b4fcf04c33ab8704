"""The classical predictors come with their constants, or the model file is refused."""

from helpers.models import motion_model, small_contract
from lstm_predictor.baselines import registry
from lstm_predictor.model.model_file import LoadedModel, ModelFileError
import pytest


@pytest.mark.parametrize('constants, words', [
    ({'constant_turn': {'unheard_of': 1.0}}, 'unheard_of'),
    ({'arx_online': 'much'}, 'classical predictors'),
    ({'ekf': {'memory': 'long'}}, 'classical predictors')])
def test_constants_that_do_not_work_are_refused_in_one_line(constants, words):
    model = LoadedModel(motion_model(), small_contract(classical=constants), name='a.pt')
    with pytest.raises(ModelFileError, match=words) as refused:
        registry.check(model)
    assert str(refused.value).startswith('a.pt: ') and len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize('constants', [{}, {'constant_turn': {'memory': [1.0, 3.0]}}])
def test_constants_that_work_are_taken(constants):
    registry.check(LoadedModel(motion_model(), small_contract(classical=constants)))

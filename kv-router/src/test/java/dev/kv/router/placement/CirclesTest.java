package dev.kv.router.placement;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.table.RoutingTable;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class CirclesTest {
    @ParameterizedTest(name = "{0}, foo@h {1}, bar@h {2}: {3}")
    @CsvSource(delimiter = ';', textBlock = """
            *=foo@h    ; *=foo@h              ; *=foo@h         ; ''
            *=baz@h    ; *=bar@h              ; *=bar@h         ; ''
            *=baz@h    ; *=bar@h              ; a=bar@h         ; ''
            *=baz@h    ; *=bar@h              ; *=foo@h         ; bar@h -> foo@h -> bar@h, by *=foo@h of bar@h
            *=foo@h    ; *=bar@h              ; a=bar@h,*=baz@h ; bar@h -> baz@h -> foo@h -> bar@h, by *=baz@h of bar@h
            a..z=baz@h ; shop-*=bar@h,*=foo@h ; s=foo@h,*=bar@h ; bar@h -> foo@h -> bar@h, by s=foo@h of bar@h
            """)
    void areFoundInTheTablesOfNodes(String common, String ofFoo, String ofBar, String circle) throws Exception {
        List<String> circles = Circles.of(
                RoutingTable.parse(common),
                Map.of("foo@h", RoutingTable.parse(ofFoo), "bar@h", RoutingTable.parse(ofBar)));

        assertThat(circles)
                .isEqualTo(
                        circle.isEmpty()
                                ? List.of()
                                : List.of("requests end with CIRCLE: " + circle + " and the tables of the others"));
    }
}

package dev.kv.router.peer;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kv.router.net.Loops;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Who gets memory for a long message, and when. */
@Timeout(60)
class RoomTest {
    private final Loops loops = new Loops(1, Duration.ofMillis(2), 1);
    private final Room room = new Room(100);

    @AfterEach
    void stop() {
        loops.close();
    }

    private Room.Claim claim(long bytes, int nodes, Runnable whenGranted) {
        return claim(bytes, new Room.Claimant(nodes, new Object(), 0, true), whenGranted);
    }

    private Room.Claim claim(long bytes, Room.Claimant claimant, Runnable whenGranted) {
        return room.claim(bytes, claimant, loops.all().getFirst(), whenGranted);
    }

    private Room.Claim claim(Room of, long bytes, Room.Claimant claimant) {
        return of.claim(bytes, claimant, loops.all().getFirst(), () -> {});
    }

    private Room.Claim claim(long bytes, int nodes) {
        return claim(bytes, nodes, () -> {});
    }

    private Room.Claim younger(long bytes, String client, long sinceNanos) {
        return claim(bytes, new Room.Claimant(0, client, sinceNanos, false), () -> {});
    }

    private Room.Claim oldest(long bytes, String client) {
        return claim(bytes, new Room.Claimant(0, client, 0, true), () -> {});
    }

    @Test
    void whoFindsNoneIsServedInTurnWhenOthersGiveBack() throws Exception {
        Room.Claim first = claim(80, 0);
        CompletableFuture<Void> granted = new CompletableFuture<>();
        Room.Claim second = claim(60, 0, () -> granted.complete(null));
        Room.Claim third = claim(10, 0);
        assertThat(first.isGranted()).isTrue();
        assertThat(second.isGranted()).isFalse();
        assertThat(third.isGranted()).as("a small one does not overtake").isFalse();
        assertThat(room.take(1)).isFalse();

        first.release();
        first.release();
        granted.get(20, TimeUnit.SECONDS);
        assertThat(third.isGranted()).isTrue();
        assertThat(room.takenBytes()).isEqualTo(70);
        assertThat(room.isFull()).isFalse();
    }

    @Test
    void whoLeavesTheLineHoldsUpNobody() {
        Room.Claim first = claim(80, 0);
        Room.Claim second = claim(60, 0);
        Room.Claim third = claim(10, 0);
        second.release();
        assertThat(third.isGranted()).isTrue();
        first.release();
        third.release();
        assertThat(room.takenBytes()).isZero();
    }

    @Test
    void whatIsPassedOnLeavesHalfToWhatIsForClientsOfThisNode() {
        Room.Claim passedOn = claim(40, 1);
        Room.Claim second = claim(20, 1);
        Room.Claim farther = claim(20, 2);
        assertThat(passedOn.isGranted()).isTrue();
        assertThat(second.isGranted()).as("40 and 20 are more than half").isFalse();
        assertThat(farther.isGranted()).as("a quarter").isTrue();

        Room.Claim own = claim(40, 0);
        assertThat(own.isGranted()).isTrue();
        passedOn.release();
        assertThat(second.isGranted()).isTrue();
    }

    @Test
    void aClientThatGivesNothingBackLeavesMemoryToOthers() {
        Room.Claim first = oldest(10, "greedy");
        List<Room.Claim> greedy = new ArrayList<>();
        for (int i = 1; i < 20; i++) {
            greedy.add(younger(10, "greedy", i));
        }
        assertThat(greedy).filteredOn(Room.Claim::isGranted).containsExactly(greedy.get(0));
        assertThat(oldest(30, "other").isGranted()).isTrue();
        assertThat(oldest(30, "third").isGranted()).isTrue();

        first.release();
        greedy.get(1).becomesOldest();
        assertThat(greedy).filteredOn(Room.Claim::isGranted).containsExactly(greedy.get(0));
        greedy.get(0).release();
        assertThat(greedy).filteredOn(Room.Claim::isGranted).containsExactly(greedy.get(0), greedy.get(1));
        greedy.forEach(Room.Claim::release);
        assertThat(room.takenBytes()).isEqualTo(60);
        assertThat(room.isWaitedFor()).isFalse();
    }

    /** The streams of clients of other nodes are numbers that may be equal. */
    @Test
    void clientsOfOneNumberAreBothServed() {
        Room.Claim before = oldest(60, "number");
        Room.Claim first = claim(10, new Room.Claimant(0, "number", 1, true), () -> {});
        Room.Claim second = claim(10, new Room.Claimant(0, "number", 2, true), () -> {});
        assertThat(first.isGranted()).isFalse();
        assertThat(second.isGranted()).isFalse();
        before.release();
        assertThat(first.isGranted()).isTrue();
        first.release();
        assertThat(second.isGranted()).isTrue();
        second.release();
        assertThat(room.isWaitedFor()).isFalse();
    }

    @Test
    void clientsTakeTurns() {
        Room.Claim all = oldest(100, "first");
        Room.Claim ahead = younger(30, "pipelines", 1);
        Room.Claim behind = younger(30, "pipelines", 2);
        Room.Claim other = younger(30, "other", 3);
        all.release();
        assertThat(ahead.isGranted()).isTrue();
        assertThat(other.isGranted()).as("30 and 30 are more than half").isFalse();
        ahead.release();
        assertThat(other.isGranted()).isTrue();
        assertThat(behind.isGranted()).isFalse();
        other.release();
        assertThat(behind.isGranted()).isTrue();
    }

    @Test
    void repliesThatWaitForOlderOnesLeaveHalfToThose() {
        Room.Claim second = younger(40, "a", 2);
        Room.Claim secondOfOther = younger(40, "b", 2);
        assertThat(second.isGranted()).isTrue();
        assertThat(secondOfOther.isGranted()).isFalse();
        Room.Claim firstOfA = oldest(60, "a");
        assertThat(firstOfA.isGranted()).isTrue();
        Room.Claim firstOfOther = oldest(60, "b");
        assertThat(firstOfOther.isGranted()).isFalse();
        second.release();
        assertThat(firstOfOther.isGranted()).isFalse();
        assertThat(secondOfOther.isGranted())
                .as("before the first of its client")
                .isFalse();
        firstOfA.release();
        assertThat(firstOfOther.isGranted()).isTrue();
        assertThat(secondOfOther.isGranted())
                .as("60 and 40 are more than a quarter of what is free")
                .isFalse();
        firstOfOther.release();
        assertThat(secondOfOther.isGranted()).isTrue();
    }

    @Test
    void theOldestOfAClientIsServedHoweverLargeItIs() {
        assertThat(younger(50, "a", 2).isGranted()).isTrue();
        assertThat(oldest(100, "a").isGranted()).isTrue();
        assertThat(oldest(1, "b").isGranted()).isFalse();
    }

    @Test
    void whoWantsLittleDoesNotStandBehindThoseThatWantMuch() {
        Room large = new Room(16_000);
        List<Room.Claim> much = new ArrayList<>();
        List<Room.Claim> little = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            much.add(claim(large, 12_000, new Room.Claimant(0, "much" + i, i, true)));
        }
        for (int i = 0; i < 12; i++) {
            little.add(claim(large, 100, new Room.Claimant(0, "little" + i, i, true)));
        }
        Room.Claim younger = claim(large, 100, new Room.Claimant(0, "younger", 0, false));
        assertThat(little).filteredOn(Room.Claim::isGranted).containsExactlyElementsOf(little.subList(0, 10));
        assertThat(younger.isGranted()).as("4000 are free").isTrue();

        much.getFirst().release();
        assertThat(much.get(1).isGranted())
                .as("little claims take nothing from it")
                .isTrue();
        assertThat(little.get(10).isGranted()).isFalse();
        little.getFirst().release();
        assertThat(little.get(10).isGranted()).isTrue();
        much.get(1).release();
        much.get(2).release();
        assertThat(little.get(11).isGranted()).as("nobody wants much").isTrue();
        little.forEach(Room.Claim::release);
        younger.release();
        assertThat(large.takenBytes()).isZero();
    }

    /** The length of a reply that is built is not known before: as long as anything is free, one is begun, and not one for each link. */
    @Test
    void oneReplyOfUnknownLengthIsBegunWhileAnythingIsFree() {
        List<Room.Claim> replies = new ArrayList<>();
        for (int i = 0; i < 10; i++) {
            replies.add(room.claimUnknown(60, loops.all().getFirst(), () -> {}));
        }
        assertThat(replies).filteredOn(Room.Claim::isGranted).hasSize(2);
        replies.getFirst().release();
        assertThat(replies).filteredOn(Room.Claim::isGranted).hasSize(3);
    }

    @Test
    void whoHasMemoryIsWaitedForByOtherClientsAndNotByItself() {
        Room.Claim first = oldest(80, "a");
        assertThat(first.waitedForNanos()).isNegative();
        Room.Claim own = younger(40, "a", 1);
        assertThat(own.isGranted()).isFalse();
        assertThat(first.waitedForNanos()).isNegative();
        // What it waited for in the lines of other nodes counts, too.
        long second = Duration.ofSeconds(1).toNanos();
        Room.Claim other = claim(40, new Room.Claimant(0, "b", System.nanoTime() - second, true), () -> {});
        assertThat(other.isGranted()).isFalse();
        assertThat(first.waitedForNanos()).isGreaterThanOrEqualTo(second);
        other.release();
        assertThat(first.waitedForNanos()).isNegative();
    }

    /** It takes memory of its node, for which those who wait there may wait. */
    @Test
    void whoHasAReplyWaitingHereIsWaitedForByClientsThatWaitElsewhere() {
        Room.Claim first = oldest(80, "a");
        Runnable other = room.elsewhere(0, "b");
        assertThat(first.waitedForNanos()).isNegative();
        Room.Claim own = younger(40, "a", 1);
        assertThat(first.waitedForNanos()).isZero();
        other.run();
        other.run();
        assertThat(first.waitedForNanos()).isNegative();
        Runnable itself = room.elsewhere(0, "a");
        assertThat(first.waitedForNanos()).isNegative();
        room.elsewhere(1, "b");
        assertThat(first.waitedForNanos()).isZero();
        itself.run();
        own.release();
        assertThat(first.waitedForNanos()).isNegative();
    }

    @Test
    void oneMessageIsAlwaysServed() {
        assertThat(claim(90, 3).isGranted()).isTrue();
        assertThat(claim(1, 3).isGranted()).isFalse();
    }

    @Test
    void whatIsChargedBeyondTheRoomIsWaitedFor() {
        room.charge(150);
        assertThat(room.isFull()).isTrue();
        Room.Claim waiting = claim(1, 0);
        room.give(50);
        assertThat(waiting.isGranted()).isFalse();
        room.give(1);
        assertThat(waiting.isGranted()).isTrue();
    }
}
